"""The closed sets of words of customers, published with their descriptions before any type uses them."""

from api.enums import publish
from domain import customers

publish(
    customers.OrderStatus,
    "Where an order stands.",
    {
        "PAID": "Paid, not delivered yet.",
        "DELIVERED": "Delivered.",
        "REFUNDED": "Refunded; counts for nothing that is computed.",
    },
)
publish(
    customers.LeadSource,
    "How a lead was gained.",
    {
        "TRADE_FAIR": "At a trade fair.",
        "ONLINE_COMMUNITY": "In an online community.",
        "REFERRAL": "By another customer.",
        "WEBSITE": "On the website.",
        "OTHER": "In another way.",
    },
)
publish(
    customers.LeadPotential,
    "What a lead may become.",
    {"HIGH": "A high-potential customer.", "NORMAL": "Not marked as such."},
)
publish(
    customers.ImportPolicy,
    "What an import does with rows that will not do.",
    {
        "REJECT_EVERYTHING": "One bad row, and nothing is imported.",
        "REJECT_FAILED_ROWS": "Good rows are imported, bad ones are listed.",
        "IGNORE_FAILED": "Bad fields are left out of their rows and listed; a bad key or mandatory field "
        "takes its row with it.",
    },
)
publish(
    customers.ImportFormat,
    "How a file holds its rows.",
    {
        "CSV": "Comma-separated, UTF-8, the first line names the columns.",
        "JSON_LINES": "One JSON object a line, whose keys are the columns.",
        "EXCEL": "The first sheet of a workbook (.xlsx), whose first row names the columns; formulas count "
        "as their values.",
    },
)
publish(
    customers.MergeRule,
    "What a given value does to one that is stored already; an empty one never does anything.",
    {
        "KEEP": "What is stored stays, even if it is nothing.",
        "OVERWRITE": "It replaces what is stored.",
        "FILL": "It is taken where nothing is stored.",
    },
)
publish(
    customers.DuplicateReason,
    "By what records look like one customer.",
    {
        "PHONE": "The same telephone number, however written; a Chinese mobile with 86 before it or without.",
        "EMAIL": "The same e-mail address, in small letters or capitals.",
        "EXTERNAL_ID": "The same id in the system it comes from, but for small letters and capitals.",
    },
)
publish(
    customers.MergeField,
    "What of a profile one record may take from another.",
    {
        "NAME": "The name.",
        "COMPANY": "The company.",
        "PHONE": "The telephone number.",
        "EMAIL": "The e-mail address.",
        "OWNER": "The member of staff who looks after them.",
    },
)
publish(
    customers.MergeState,
    "Whether two records still are one.",
    {"MERGED": "They are one.", "UNDONE": "They are two again."},
)
publish(
    customers.SearchField,
    "By what a customer was found.",
    {
        "NAME": "By the name.",
        "PHONE": "By the telephone number, however it is written.",
        "EMAIL": "By the e-mail address.",
        "EXTERNAL_ID": "By the id in the system it comes from.",
    },
)
publish(
    customers.ExclusionReason,
    "Why a record is not one customer to be counted.",
    {
        "TEST": "It was made to try something out.",
        "MERGED": "It is the same customer as another record.",
        "ANONYMISED": "Who it was has been erased.",
        "OTHER": "For another reason.",
    },
)
