"""S16: messages go to public addresses and nowhere else, however the address is written."""

import pytest

from domain.errors import Invalid
from domain.webhooks import addresses, sending
from domain.webhooks.addresses import AddressRefused, NameUnknown, Outbound, is_public
from domain.webhooks.models import AttemptError
from tests.receiver import receiving

INWARD = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "169.254.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.0.170",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "fd00:ec2::254",
]
OUTWARD = [
    "8.8.8.8",
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.169.0.0",
    "223.255.255.255",
    "2606:4700::1111",
    "2a00:1450:4001::200e",
]
BAD_URLS = [
    "",
    "hook",
    "//crm.example.com/",
    "ftp://crm.example.com/",
    "file:///etc/passwd",
    "gopher://crm.example.com/",
    "javascript:alert(1)",
    "https://",
    "https:///path",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://intranet/",
    "https://127.1/",
    "https://127.0.0.1/",
    "https://0177.0.0.1/",
    "https://0177.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://0x7f.0.0.0x1/",
    "https://a.0x7f000001/",
    "https://①②⑦.⓪.⓪.①/",
    "https://１２７.0.0.1/",
    "https://127。0。0。1/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[::127.0.0.1]/",
    "https://[fec0::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[::1",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://224.0.0.1/",
    "https://user@crm.example.com/",
    "https://user:pass@crm.example.com/",
    "https://crm.example.com@127.0.0.1/",
    "https://127.0.0.1\\@crm.example.com/",
    "https://crm.example.com#@127.0.0.1/",
    "https://crm.example.com/#fragment",
    "https://crm.example.com:22/",
    "https://crm.example.com:25/",
    "https://crm.example.com:80/",
    "https://crm.example.com:6379/",
    "https://crm.example.com:0/",
    "https://crm.example.com:99999/",
    "https://crm.example.com:x/",
    "https://crm.example.com/a b",
    "https://crm.example.com/\r\nX: y",
    "https://crm.example.com/\tx",
    "https://-crm.example.com/",
    "https://crm..example.com/",
    f"https://crm.example.com/{'x' * 2000}",
    f"https://{'x' * 64}.example.com/",
]


@pytest.mark.parametrize("address", INWARD)
def test_an_address_that_leads_inward_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", OUTWARD)
def test_an_address_of_the_open_internet_is(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("url", BAD_URLS)
def test_a_url_that_leads_elsewhere_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        Outbound().check(url)
    assert len(url) < 10 or url not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://crm.example.com",
        "https://crm.example.com:8443/hook?key=1",
        "https://xn--fiqs8s.example.cn/hook",
        "https://8.8.8.8/hook",
        "https://[2606:4700::1111]/hook",
        "http://crm.example.com/hook",
    ],
)
def test_a_url_on_the_internet_is_taken_and_plain_ones_outside_production_alone(url: str) -> None:
    assert Outbound().check(url) == url
    if url.startswith("http://"):
        with pytest.raises(Invalid, match="begins with https://"):
            Outbound(https_only=True).check(url)
        with pytest.raises(Invalid, match="begins with https://"):
            Outbound(https_only=True, allowed=frozenset({"crm.example.com"})).check(url)
    else:
        assert Outbound(https_only=True).check(url) == url


def test_what_the_operator_allows_is_taken_at_that_port_alone_where_one_is_named() -> None:
    outbound = Outbound(allowed=frozenset({"127.0.0.1:9000", "erp.internal", "[::1]"}))
    for url in ("http://127.0.0.1:9000/", "https://ERP.internal:444/", "https://[::1]:5000/"):
        assert outbound.check(url) == url
    for url in ("http://127.0.0.1:9001/", "http://127.0.0.1/", "https://127.0.0.2:9000/", "https://x.erp:1/"):
        with pytest.raises(Invalid):
            outbound.check(url)


async def test_a_name_with_one_address_inside_is_refused_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    found = ["8.8.8.8", "127.0.0.1"]

    async def look_up(host: str, port: int) -> list[str]:
        return found

    monkeypatch.setattr(addresses, "look_up", look_up)
    with pytest.raises(AddressRefused):
        await Outbound().address_of("crm.example.com", 443)
    found = []
    with pytest.raises(NameUnknown):
        await Outbound().address_of("crm.example.com", 443)
    found = ["8.8.8.8", "1.1.1.1"]
    assert await Outbound().address_of("crm.example.com", 443) == "8.8.8.8"


@pytest.mark.parametrize(
    "host", ["127.1", "0177.0.0.1", "2130706433", "0x7f000001", "localhost", "①②⑦.⓪.⓪.①", "::1"]
)
async def test_what_a_resolver_makes_of_a_strange_number_is_refused_at_the_connection_too(host: str) -> None:
    with pytest.raises((AddressRefused, NameUnknown)):
        await Outbound().address_of(host, 443)


async def test_a_name_that_changes_between_look_ups_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is connected to is what was checked: a second look-up is never asked for."""
    answers = [["8.8.8.8"], ["127.0.0.1"], ["127.0.0.1"]]
    asked = []

    async def look_up(host: str, port: int) -> list[str]:
        asked.append(host)
        return answers.pop(0)

    monkeypatch.setattr(addresses, "look_up", look_up)
    assert await Outbound().address_of("crm.example.com", 80) == "8.8.8.8"
    async with receiving() as receiver:
        url = f"http://crm.example.com:{receiver.port}/"
        outcome = await sending.post(url, {}, b"{}", Outbound())
        assert (outcome.error, outcome.status, receiver.knocks) == (AttemptError.ADDRESS, None, 0)
        allowed = Outbound(allowed=frozenset({"crm.example.com"}))
        outcome = await sending.post(url, {}, b"{}", allowed)
        assert (outcome.error, outcome.status, receiver.knocks) == (None, 200, 1)
        assert receiver.heard[0].headers["host"] == f"crm.example.com:{receiver.port}"
    assert asked == ["crm.example.com"] * 3
