"""Texts that mean something to some format, a terminal or a spreadsheet, where others may choose a text."""

from __future__ import annotations

from tests.render.test_markdown import EVIL

HARMFUL = {
    **{name: text for name, text in EVIL.items() if len(text) < 1_000},
    "ports": "A:B:C",  # as it is there, its chain were one of kube-proxy's
    "command": "=cmd|'/C calc'!A0",
    "sum": "+1",
    "difference": "-2",
    "at": "@SUM(1)",
    "wide formula": "\uff1d1+1",
    "wide sum": "\uff0b1",
    "keyword of Mermaid": "end",
    "click": "click n0 href",
    "directive": "%%{init: {}}%%",
    "comment of Mermaid": "%% x",
    "class": "x:::chain",
    "icon": "fa:fa-bomb",
    "math": "$$x^2$$",
    "style": "</style><style>*{display:none}",
    "JavaScript": "javascript:alert(1)",
    "comment's end": "--><b>x",
    "CDATA": "]]><x>",
    "template": "{{7*7}}{%x%}",
    "format": "%s{0}%n",
    "mail": "x@evil.example",
    "issue": "GH-1",
    "autolink": "<http://evil.example>",
    "reference definition": "[x]: http://evil.example",
    "table's rule": "| --- | x",
    "fence": "~~~",
    "HTML comment": "<!--x",
    "question mark": "<?x ?>",
    "declaration": "<!x>",
    "setext": "===",
    "quote": "> x",
    "NUL": "a\x00b",
    "line ends of text": "a\nb\r\nc\x85d\u2028e\u2029f\x0bg",
    "tab": "\ta\tb",
    "lone surrogate": "\udc80x\udcff",
    "combining": "Z\u0335\u0321a\u0301\u0300",
    "only combining": "\u0301",
    "wide": "\u4f60\u597d\U0001f469\u200d\U0001f4bb\ufdfd",
    "private": "\ue000\ufffe\uffff",
    "proto": "__proto__",
    "constructor": "constructor",
}  # fmt: skip

LONG = "x" * 10_000
