"""How a report looks, on screen and on paper. One hue of rising darkness for counts; every status has a
sign and a word besides its colour, so nothing hangs on telling colours apart."""

HEAT = ("#f6f8f9", "#e4eff4", "#c8dfe9", "#a3cadb", "#76aec6", "#2f7f9f", "#175570")
"""From none to most; white text from the sixth on."""

CSS = """
:root { --ink: #1c2b33; --soft: #5b6770; --line: #dfe5e8; --accent: #2a6f8f; }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; color: var(--ink); background: #eef1f3; font-size: 15px; line-height: 1.55;
  font-family: "Inter", "Segoe UI", system-ui, -apple-system, "Helvetica Neue", Arial,
    "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif;
  font-variant-numeric: tabular-nums; -webkit-print-color-adjust: exact; print-color-adjust: exact;
}
main { max-width: 1000px; margin: 32px auto; padding: 52px 60px 44px; background: #fff;
  border-radius: 6px; box-shadow: 0 1px 3px rgba(28, 43, 51, .12); }
header { border-bottom: 2px solid var(--ink); padding-bottom: 20px; }
header p { margin: 0; }
.house { color: var(--accent); font-weight: 600; letter-spacing: .04em; }
h1 { font-size: 31px; line-height: 1.25; font-weight: 650; margin: 4px 0 10px; overflow-wrap: anywhere; }
h2 { font-size: 19px; font-weight: 650; margin: 48px 0 16px; }
.fresh, .note, dd, caption, .of { color: var(--soft); }
.fresh { font-size: 13.5px; }
.fresh span { white-space: nowrap; display: inline-block; }
.fresh span:not(:last-child)::after { content: "·"; margin: 0 .5em; }
.note { font-size: 13px; margin: 8px 0 0; }
.tally { display: flex; gap: 10px; flex-wrap: wrap; margin: 22px 0 0; padding: 0; list-style: none; }
.cards { display: grid; grid-template-columns: 1fr 1fr; gap: 18px; margin-top: 22px; }
.card { border: 1px solid var(--line); border-radius: 6px; padding: 20px 22px 18px; break-inside: avoid; }
.card h3 { margin: 0; font-size: 15px; font-weight: 600; }
.card .top { display: flex; justify-content: space-between; gap: 12px; align-items: flex-start; }
.card .value { font-size: 40px; line-height: 1.2; font-weight: 300; letter-spacing: -.01em;
  margin: 8px 0 2px; }
.card .none { font-size: 26px; line-height: 48px; color: var(--soft); }
.card p { margin: 0; font-size: 13.5px; }
.of { min-height: 3.1em; }
.status { display: inline-block; white-space: nowrap; border-radius: 99px; padding: 1px 11px 1px 9px;
  font-size: 13px; font-weight: 600; }
.status::before { display: inline-block; width: 1.25em; text-align: center; margin-right: .2em; }
.MET { color: #0a5c44; background: #dff1ea; } .MET::before { content: "✓"; }
.AT_RISK { color: #6f4a00; background: #faecc8; } .AT_RISK::before { content: "!"; }
.NOT_MET { color: #98290f; background: #fbe3dc; } .NOT_MET::before { content: "✕"; }
.NO_DATA { color: #4d5a62; background: #e9edef; } .NO_DATA::before { content: "–"; }
.bar { display: block; position: relative; height: 10px; background: #e9eef1; border-radius: 5px;
  margin: 14px 0 10px; }
.bar b { display: block; height: 100%; background: var(--accent); border-radius: 5px; }
.bar i { position: absolute; top: -5px; bottom: -5px; width: 2px; margin-left: -1px;
  background: var(--ink); }
.bar i.baseline { top: -2px; bottom: -2px; background: #fff; outline: 1px solid var(--soft); }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
caption { text-align: left; font-size: 13px; padding-bottom: 8px; }
th, td { padding: 8px 10px; text-align: right; vertical-align: baseline;
  border-bottom: 1px solid var(--line); }
th { font-weight: 600; } thead th { color: var(--soft); font-size: 13px;
  border-bottom: 1px solid var(--soft); }
th:first-child, td.text, th.text { text-align: left; }
th:first-child, td:first-child { padding-left: 0; } th:last-child, td:last-child { padding-right: 0; }
tr { break-inside: avoid; } td small, th small { display: block; color: var(--soft); font-weight: 400; }
.heat { table-layout: fixed; border-collapse: separate; border-spacing: 3px; margin: 0 -3px;
  width: calc(100% + 6px); }
.heat th, .heat td { border: 0; padding: 10px 12px; text-align: center; border-radius: 3px; }
.heat th:first-child { width: 17%; padding-left: 0; text-align: left; }
.heat td b { display: block; font-size: 17px; font-weight: 600; } .heat td small { color: inherit;
  opacity: .85; }
.heat .total { background: none; color: var(--ink); }
.legend { display: flex; align-items: center; gap: 3px; color: var(--soft); font-size: 12.5px;
  margin-top: 10px; }
.legend i { width: 26px; height: 11px; border-radius: 2px; } .legend :first-child { margin-right: 5px; }
.legend :last-child { margin-left: 5px; }
.tiers td.wide { width: 50%; vertical-align: middle; padding-left: 28px; } .tiers .bar { margin: 0; }
.aims td, .aims thead th { white-space: nowrap; } .aims th:first-child { width: 34%; }
figure { margin: 0 0 22px; break-inside: avoid; } figcaption { font-weight: 600; font-size: 14px;
  margin-bottom: 8px; }
svg { display: block; width: 100%; height: auto; }
.halves { display: grid; grid-template-columns: 1fr 1fr; gap: 0 44px; }
.halves tbody th { white-space: nowrap; }
.halves th, .halves td { padding-top: 5px; padding-bottom: 5px; font-size: 13px; }
dl { margin: 0; } dl > div { padding: 14px 0; border-bottom: 1px solid var(--line); break-inside: avoid; }
dt { font-weight: 600; } dd { margin: 2px 0 0; font-size: 13.5px; }
code { font: 12.5px/1.4 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; color: var(--ink); }
footer { margin-top: 36px; color: var(--soft); font-size: 12.5px; }
@media (max-width: 760px) {
  main { margin: 0; padding: 28px 20px; border-radius: 0; } .cards, .halves { grid-template-columns: 1fr; }
  .scroll { overflow-x: auto; }
}
@page { size: A4; margin: 15mm 14mm; }
@media print {
  body { background: #fff; } main { zoom: .72; max-width: none; margin: 0; padding: 0; box-shadow: none; }
  h2 { margin-top: 40px; break-after: avoid; } section.whole { break-inside: avoid; }
}
"""
