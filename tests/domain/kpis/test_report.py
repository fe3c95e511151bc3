"""A report stands whole or not at all, alone, and says what the KPIs say."""

import os
import re
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from domain import files, kpis, runs, timekeeping
from domain.access import Role
from domain.errors import Invalid, NotFound
from domain.journal import JournalLine
from domain.kpis import KpiSnapshot, Report
from domain.kpis import report as building
from domain.language import Language
from domain.runs import Fenced, Run, RunState, Work
from domain.workspaces import Workspace
from tests.conftest import NOON, House, build_house
from tests.domain.kpis import scene
from tests.domain.kpis.scene import local


class Page(HTMLParser):
    """The text, the tags and the values of a report."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.values: dict[str, set[str]] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        if tag == "data":
            self.values.setdefault(str(found["class"]), set()).add(str(found["value"]))

    def handle_data(self, data: str) -> None:
        self.text += data


async def furnish(house: House) -> None:
    ids = await scene.customers(house.id, 40)
    await scene.placements(house.admin, ids[:20])
    await scene.placements(house.admin, ids[20:], lifecycle="SILENT", value_level="ORDINARY", tier="BRONZE")
    await scene.segmentation(house.admin, NOON - timedelta(hours=10))
    await scene.tasks(
        house.id, [scene.visit(c, local(2025, 3, 1, hour)) for c in ids[:19] for hour in (9, 10, 11)]
    )
    await scene.orders(house.id, [(c, local(2025, 1, 5)) for c in ids[:30]])
    await scene.orders(house.id, [(c, local(2024, 11, 11)) for c in ids[:7]])


async def built(house: House, **how: object) -> tuple[Report, str]:
    run = await scene.performed(await kpis.build_report(house.admin, **how))  # type: ignore[arg-type]
    assert run.result is not None
    report = await kpis.get_report(house.admin, run.result["report_id"])
    return report, await scene.html_of(house.admin, report)


async def test_a_report_shows_what_the_kpis_show(house: House) -> None:
    await furnish(house)
    report, html = await built(house)
    page = Page(html)
    shown = await kpis.all_kpis(house.admin)
    assert page.values == {kpi.code: {str(kpi.value)} for kpi in shown if kpi.value is not None}
    assert page.values["VISIT_COVERAGE"] == {"0.950000"}
    assert page.values["REPURCHASE_RATE"] == {"0.233333"}
    assert "95.0%" in page.text and "19 / 20" in page.text and "23.3%" in page.text
    assert {kpi.run_id for kpi in shown} == {report.run_id}
    classes = [attributes.get("class") for _, attributes in page.tags]
    for kpi in shown:
        assert f"status {kpi.status.value}" in classes
    assert (report.as_of, report.process_id, report.language) == (NOON, os.getpid(), Language.ZH_CN)
    sheet = (await scene.content(house.admin, report.table_file_ids["kpis"])).decode("utf-8-sig")
    assert '"VISIT_COVERAGE","回访覆盖率","过程"' in sheet and ",19,20,0.950000," in sheet
    matrix = (await scene.content(house.admin, report.table_file_ids["matrix"])).decode("utf-8-sig")
    assert '"沉默客户","普通价值",20' in matrix and len(matrix.splitlines()) == 16
    trend = (await scene.content(house.admin, report.table_file_ids["trend"])).decode("utf-8-sig")
    assert '"2025-01",30,3000.00,"CNY"' in trend and '"2024-11",7,700.00,"CNY"' in trend


async def test_a_report_of_an_empty_workspace_says_so(house: House) -> None:
    _, html = await built(house, language=Language.EN)
    page = Page(html)
    assert page.values == {}
    assert page.text.count("No data") >= 8
    assert "customer groups not computed yet" in page.text


@pytest.mark.parametrize("language", list(Language))
async def test_a_report_speaks_one_language_throughout(house: House, language: Language) -> None:
    await Workspace.filter(id=house.id).update(name="Acme")
    await furnish(house)
    report, html = await built(house, language=language)
    page = Page(html)
    assert page.tags[0] == ("html", {"lang": {"EN": "en", "ZH_CN": "zh-CN"}[language.value]})
    chinese = re.compile("[\u3000-\u9fff\uff00-\uffef]")
    for kpi in kpis.CATALOGUE.values():
        assert kpi.name(language) in page.text
    tables = [await scene.content(house.admin, n) for n in report.table_file_ids.values()]
    if language is Language.EN:
        assert not chinese.search(html)
        assert not any(chinese.search(table.decode()) for table in tables)
        assert "As of 3 March 2025, 12:00 (Asia/Shanghai)" in page.text
        assert "target: +15.0% of the baseline (+4.5 percentage points)" in page.text
    else:
        assert "统计时点 2025年3月3日 12:00 (Asia/Shanghai)" in page.text
        assert "目标：较基线 +15.0%（+4.5 个百分点）" in page.text
        for english in ("Target", "Status", "Repurchase", "Silent", "Gold", "Total", "Month"):
            assert english not in re.sub(r"<style>.*?</style>|<code>.*?</code>", "", html, flags=re.S)


async def test_a_report_needs_nothing_but_itself(house: House) -> None:
    await furnish(house)
    _, html = await built(house)
    assert set(re.findall(r"\w+://[^\"'<> ]+", html)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|url\(|javascript:", html)
    page = Page(html)
    assert {tag for tag, _ in page.tags}.isdisjoint(
        {"script", "link", "img", "iframe", "object", "image", "a"}
    )
    names = {name for _, attributes in page.tags for name in attributes}
    assert not {name for name in names if name.startswith("on") or name in ("src", "href", "srcset")}
    assert sum(tag == "svg" for tag, _ in page.tags) == 2


async def test_names_and_titles_are_text_and_never_markup(house: House) -> None:
    evil = "<script>alert('x')</script> & \"Söhne\""
    await Workspace.filter(id=house.id).update(name=evil)
    report, html = await built(house, title=f" {evil}")
    assert report.title == evil
    assert "<script" not in html and "</script" not in html
    assert Page(html).text.count(evil) == 3


@pytest.mark.parametrize("title", ["x" * 201, "two\nlines", "bell\a"])
async def test_a_title_is_one_short_line(house: House, title: str) -> None:
    with pytest.raises(Invalid):
        await kpis.build_report(house.admin, title)
    assert await Run.all().count() == 0


async def test_an_analyst_builds_and_every_workspace_keeps_its_own(house: House) -> None:
    other = await build_house("Other")
    await furnish(other)
    run = await scene.performed(await kpis.build_report(house.staff[Role.ANALYST]))
    assert run.result is not None
    report = await kpis.get_report(house.admin, run.result["report_id"])
    assert Page(await scene.html_of(house.admin, report)).values == {}
    with pytest.raises(NotFound):
        await kpis.get_report(other.admin, report.id)
    with pytest.raises(NotFound):
        await files.get(other.admin, report.html_file_id)


async def counted() -> tuple[int, int, int, int]:
    lines = await JournalLine.filter(name="report.built").count()
    return await Report.all().count(), await KpiSnapshot.all().count(), await files.File.all().count(), lines


async def test_a_report_killed_after_its_step_is_built_once(house: House) -> None:
    run = await kpis.build_report(house.admin)
    taken = await runs.claim(run.id, "killed", 30)
    assert taken is not None
    await runs.kinds["report_build"].perform(Work(taken))
    assert await runs.rescue(everything=True) == 1
    ended = await scene.performed(run)
    report = await Report.get()
    assert ended.result == {"report_id": report.id}
    assert await counted() == (1, 4, 4, 1)


async def test_a_report_that_breaks_half_way_leaves_nothing_and_is_built_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, saved = files.save, []

    async def breaks(*args, **kwargs):
        if len(saved) == 2:
            raise OSError("out of space")
        saved.append(args)
        return await save(*args, **kwargs)

    monkeypatch.setattr(building.files, "save", breaks)
    run = await kpis.build_report(house.admin)
    assert await runs.perform(run.id, "first", 30)
    assert (await Run.get(id=run.id)).state is RunState.RETRYING
    assert await counted() == (0, 0, 0, 0)
    monkeypatch.setattr(building.files, "save", save)
    await Run.filter(id=run.id).update(run_at=timekeeping.machine_now())
    assert await runs.promote() == 1
    await scene.performed(run)
    assert await counted() == (1, 4, 4, 1)


async def test_a_build_that_was_given_up_on_leaves_nothing(house: House) -> None:
    run = await kpis.build_report(house.admin)
    zombie = await runs.claim(run.id, "zombie", 30)
    assert zombie is not None
    await runs.rescue(everything=True)
    with pytest.raises(Fenced):
        await runs.kinds["report_build"].perform(Work(zombie))
    assert await counted() == (0, 0, 0, 0)
    await scene.performed(run)
    assert await counted() == (1, 4, 4, 1)
