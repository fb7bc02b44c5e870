/**
 * The style sheet: system fonts, light and dark, print. Colours of text and ground differ by at least 4.5 to 1
 * (WCAG 2.2, 1.4.3), those of bars and borders by 3 to 1 (1.4.11); test/cli/evidence measures both.
 */
export const STYLE = `
:root{color-scheme:light dark;--ground:#fcfcfa;--raised:#f3f3ee;--ink:#1b1f23;--soft:#545b63;--line:#d8d8d0;--link:#0a5a78;
--good:#0c6338;--good-ground:#e6f3ea;--warn:#7a4600;--warn-ground:#fcf1dc;--bad:#a01420;--bad-ground:#fceaea;
--bar:#2f7f95;--bar-other:#b4561f;--bar-light:#f3cfb4}
@media (prefers-color-scheme:dark){:root{--ground:#15181b;--raised:#1e2226;--ink:#e6e8ea;--soft:#a9b1b8;--line:#394047;--link:#7cc4e0;
--good:#7fd6a4;--good-ground:#14301f;--warn:#f0c277;--warn-ground:#33270f;--bad:#ff9d9d;--bad-ground:#3b1719;
--bar:#5fb3ca;--bar-other:#e58b54;--bar-light:#5a3218}}
*{box-sizing:border-box}
main{min-width:0}
html{font:1.0625rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;background:var(--ground);color:var(--ink);-webkit-text-size-adjust:100%}
body{margin:0 auto;padding:0 1.25rem 4rem;max-width:60rem;overflow-wrap:anywhere}
h1,h2,h3,.word,.figures dd{font-family:ui-serif,Charter,"Iowan Old Style","Source Serif 4",Georgia,Cambria,serif;font-weight:600;line-height:1.2;text-wrap:balance}
h1{font-size:2.1rem;margin:.1rem 0 .4rem;letter-spacing:-.01em}
h2{font-size:1.5rem;margin:3.5rem 0 .8rem;padding-top:1rem;border-top:1px solid var(--line)}
h3{font-size:1.15rem;margin:2rem 0 .6rem}
p{margin:.6rem 0;max-width:44rem}
a{color:var(--link);text-underline-offset:.15em}
:focus-visible{outline:3px solid var(--link);outline-offset:2px;border-radius:2px}
:target{scroll-margin-top:1rem}
header{padding-top:2.5rem}
.kicker{margin:0;color:var(--soft);font-size:.85rem;letter-spacing:.06em;text-transform:uppercase}
.about,.note,.of,footer{color:var(--soft)}
.of{font-weight:400}
.note,.about,footer{font-size:.9rem}
.skip{position:absolute;left:-999rem}
.skip:focus{left:1rem;top:.5rem;padding:.5rem 1rem;background:var(--ground);z-index:1}
.defs{position:absolute}
main:focus{outline:none}
nav{margin:1.5rem 0;font-size:.92rem}
.contents{font-size:.92rem;margin:0 0 .3rem;padding:0;border:0}
nav ol{margin:0;padding:0;list-style:none;columns:3 12rem;column-gap:2rem}
nav li{padding:.15rem 0;break-inside:avoid}
nav a{text-decoration:none}
nav a:hover,nav a:focus-visible{text-decoration:underline}
.verdict{margin:1.5rem 0 1rem;padding:1.1rem 1.4rem;border-left:.4rem solid;border-radius:.2rem}
.verdict p{margin:0;color:var(--ink)}
.verdict .word{font-size:1.9rem;margin-bottom:.2rem;color:inherit}
.intact{color:var(--good);background:var(--good-ground)}
.consistent,.incomplete{color:var(--warn);background:var(--warn-ground)}
.broken{color:var(--bad);background:var(--bad-ground)}
h3.finding{background:none;color:var(--ink)}
.mark::before{margin-right:.45em}
.intact .mark::before{content:"\\2713"}
.consistent .mark::before,.incomplete .mark::before{content:"\\25D4"}
.broken .mark::before{content:"\\2717"}
.limit{padding:.5rem 0 .5rem 1.4rem;border-left:.4rem solid var(--line);margin:.5rem 0}
.lead{font-size:1.15rem}
.figures{display:flex;flex-wrap:wrap;gap:.5rem 3rem;margin:1.4rem 0}
.figures div{display:flex;flex-direction:column-reverse}
.figures dt{font-size:.9rem}
.figures dd{margin:0;font-size:2.2rem;font-variant-numeric:lining-nums tabular-nums}
.facts{margin:1rem 0}
.facts>div{display:grid;grid-template-columns:9rem 1fr;gap:0 1.5rem;padding:.55rem 0;border-top:1px solid var(--line)}
.facts dt{font-weight:600}
.facts dd{margin:0}
.facts dd p:first-child{margin-top:0}

ul,ol{padding-left:1.4rem;max-width:44rem}
ul.plain{list-style:none;margin:0;padding:0}
details{margin:.5rem 0}
summary{cursor:pointer;color:var(--link);padding:.15rem 0}
summary code{color:inherit}
code{font:.86em/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
.digest{font-size:.74em;overflow-wrap:anywhere}
.value{font-style:italic}
.tag{display:inline-block;padding:0 .5em;border:1px solid currentColor;border-radius:1em;font:.75rem/1.5 system-ui,sans-serif;color:var(--soft);white-space:nowrap;vertical-align:.1em}
.finding.broken .tag{color:var(--bad)}
.finding.incomplete .tag{color:var(--warn)}
.poor{color:var(--warn)}
.scroll{overflow-x:auto;margin:1rem 0 1.4rem}
table{border-collapse:collapse;width:100%;font-size:.9rem;line-height:1.4}
caption{text-align:left;font-weight:600;padding:.3rem 0 .5rem;font-size:.95rem}
th,td{text-align:left;vertical-align:top;padding:.45rem .9rem .45rem 0;border-bottom:1px solid var(--line);min-width:3.5rem;overflow-wrap:break-word}
time,.id{white-space:nowrap;font-variant-numeric:tabular-nums}
thead th,thead td{border-bottom:2px solid var(--soft);vertical-align:bottom;font-weight:600}
tbody th{font-weight:400}
.number{text-align:right;min-width:4rem;font-variant-numeric:tabular-nums}
th:last-child,td:last-child{padding-right:0}
th.id{width:9rem}
td.bar{width:50%;min-width:5rem}
.bars tbody th{min-width:9rem;width:30%}
.bars td{vertical-align:middle}
.bar svg{display:block;width:100%;height:1.05rem}
.plain{fill:var(--bar)}
.hatched{fill:url(#hatch)}
.hatch-ground{fill:var(--bar-light)}
.hatch-line{fill:var(--bar-other)}
.legend{font-weight:400;font-size:.85rem;margin-left:1rem;white-space:nowrap}
.key{margin-right:1rem}
.key svg{margin-right:.35rem;vertical-align:-.05rem}
figure{margin:1.2rem 0 1.6rem}
figcaption{font-weight:600;font-size:.95rem}
figure>svg{display:block;width:100%;height:11rem;border-bottom:2px solid var(--soft);border-top:1px solid var(--line)}
.scale,.axis{margin:0;max-width:none;font-size:.8rem;color:var(--soft);font-variant-numeric:tabular-nums}
.axis{display:flex;justify-content:space-between}
footer{margin-top:3rem;border-top:1px solid var(--line)}
@media (min-width:74rem){body{max-width:76rem;display:grid;grid-template-columns:13rem 1fr;gap:0 3rem;align-items:start}
header,main,footer{grid-column:2}
nav{grid-column:1;grid-row:1/span 2;position:sticky;top:0;padding:2.9rem 0 1rem;margin:0}
nav ol{columns:1}}
@media (max-width:40rem){html{font-size:1rem}h1{font-size:1.6rem}.facts>div{grid-template-columns:1fr}.figures{gap:.5rem 2rem}}
@media print{@page{size:A4;margin:18mm 16mm}
:root{color-scheme:light;--ground:#fff;--raised:#fff;--ink:#000;--soft:#444;--line:#bbb;--link:#000;--good:#0c6338;--good-ground:#fff;--warn:#7a4600;--warn-ground:#fff;--bad:#a01420;--bad-ground:#fff;--bar:#2f7f95;--bar-other:#b4561f;--bar-light:#f3cfb4}
html{font-size:9.5pt;print-color-adjust:exact;-webkit-print-color-adjust:exact}
body{display:block;max-width:none;padding:0}
nav,.skip,details:not([open]){display:none}
h2{margin-top:1.6rem;break-after:avoid}
h3,caption,figcaption{break-after:avoid}
tr,figure,.verdict,.facts>div{break-inside:avoid}
thead{display:table-header-group}
.scroll{overflow:visible}
th,td{min-width:0}
a{text-decoration:none}
.digest{font-size:.6em}}
`
