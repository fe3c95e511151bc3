"""The operations that stories speak, each written once."""

REFUSAL = "... on Refusal { userErrors { code message field } }"

CUSTOMER_UPSERT = (
    "mutation ($input: CustomerUpsertInput!) { customerUpsert(input: $input) { __typename "
    "... on CustomerUpsertPayload { customer { id externalId } } " + REFUSAL + " } }"
)
ORDER_RECORD = (
    "mutation ($input: OrderRecordInput!) { orderRecord(input: $input) { __typename "
    "... on OrderRecordPayload { order { id status } } " + REFUSAL + " } }"
)
ORDER_STATUS = (
    "mutation ($id: ID!, $status: OrderStatus!, $at: DateTime!) { orderStatusSet(id: $id, status: $status, at: $at) "
    "{ __typename ... on OrderStatusSetPayload { order { id status } } " + REFUSAL + " } }"
)
LEAD_RECORD = (
    "mutation ($input: LeadRecordInput!) { leadRecord(input: $input) { __typename "
    "... on LeadRecordPayload { lead { id customer { id } } } " + REFUSAL + " } }"
)
PREFERENCE_SET = (
    "mutation ($customer: ID!, $input: ContactPreferenceInput!) "
    "{ contactPreferenceSet(customerId: $customer, input: $input) { __typename " + REFUSAL + " } }"
)
INTERACTION_RECORD = (
    "mutation ($customer: ID!, $input: InteractionInput!) "
    "{ interactionRecord(customerId: $customer, input: $input) { __typename " + REFUSAL + " } }"
)
TASK = (
    "id kind title state channel contactAt dueAt overdue priority version "
    "sla { state dueAt remainingSeconds } escalations { rung toRole user { role } processId } "
    "contactDecision { verdict } outcome { result smoothnessOfUse needSatisfaction } customer { externalId }"
)
TASKS = (
    "query ($where: TaskWhere, $after: String) { tasks(where: $where, first: 100, after: $after) "
    "{ totalCount nodes { " + TASK + " } pageInfo { hasNextPage endCursor } } }"
)
TASK_CREATE = (
    "mutation ($input: TaskCreateInput!) { taskCreate(input: $input) { __typename "
    "... on TaskCreatePayload { created task { " + TASK + " } } " + REFUSAL + " } }"
)
TASK_COMPLETE = (
    "mutation ($id: ID!, $input: TaskCompleteInput!) { taskComplete(id: $id, input: $input) { __typename "
    "... on TaskCompletePayload { task { " + TASK + " } } " + REFUSAL + " } }"
)
RECOMPUTE = (
    "mutation { segmentationRecompute { __typename ... on SegmentationRecomputePayload { run { id } } "
    + REFUSAL
    + " } }"
)
SNAPSHOT = "mutation { kpiSnapshot { __typename ... on KpiSnapshotPayload { run { id } } " + REFUSAL + " } }"
ORDERS_IMPORT = (
    "mutation ($file: ID!) { ordersImport(input: {fileId: $file}) { __typename "
    "... on OrdersImportPayload { run { id } } " + REFUSAL + " } }"
)
