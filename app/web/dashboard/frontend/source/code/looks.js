// How code looks: colours are the custom properties of the page, so that light and dark just work.
import { HighlightStyle, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import { javascript } from "@codemirror/lang-javascript";
import { json } from "@codemirror/lang-json";
import { python } from "@codemirror/lang-python";
import { toml } from "@codemirror/legacy-modes/mode/toml";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";

const languages = { python, node: javascript, json, toml: () => StreamLanguage.define(toml) };
const endings = { py: "python", js: "node", cjs: "node", mjs: "node", json: "json", toml: "toml" };
export const languageOf = (name) => languages[name]?.() ?? [];
export const languageOfFile = (path) => endings[path.split(".").at(-1)];

export const nonce = EditorView.cspNonce.of(document.querySelector("meta[name=csp-nonce]")?.content ?? "");

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.modifier, tags.operatorKeyword, tags.definitionKeyword], color: "var(--code-keyword)" },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: "var(--code-string)" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: "var(--code-number)" },
  { tag: [tags.function(tags.variableName), tags.definition(tags.variableName), tags.propertyName, tags.className], color: "var(--code-name)" },
  { tag: [tags.comment, tags.docString], color: "var(--code-comment)", fontStyle: "italic" },
  { tag: tags.invalid, color: "var(--bad)" },
]);

const frame = EditorView.theme({
  "&": { color: "var(--ink)", backgroundColor: "transparent", fontSize: "var(--text-small)" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-1px", borderRadius: "var(--round)" },
  ".cm-content": { fontFamily: "var(--mono)", lineHeight: "1.6", caretColor: "var(--ink)" },
  ".cm-gutters": { backgroundColor: "transparent", color: "var(--muted)", border: "none", fontFamily: "var(--mono)" },
  ".cm-lineNumbers .cm-gutterElement": { paddingLeft: "0.9rem", minWidth: "2.6rem" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--accent) 7%, transparent)" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground, .cm-content ::selection": { backgroundColor: "color-mix(in srgb, var(--accent) 25%, transparent) !important" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: "var(--accent-soft)", outline: "1px solid var(--accent)" },
  ".cm-panels, .cm-tooltip": { backgroundColor: "var(--surface)", color: "var(--ink)", borderColor: "var(--line)" },
  // CodeMirror's own marks are pictures in `data:` addresses, which the page's policy forbids.
  ".cm-lint-marker-error": { content: "normal", width: "0.6em", height: "0.6em", margin: "0.5em 0.3em 0 0.3em", borderRadius: "50%", backgroundColor: "var(--bad)" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--bad)" },
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--bad)" },
  ".cm-line.cm-problem": { backgroundColor: "var(--bad-soft)" },
  ".cm-collapsedLines": { background: "var(--sunken)", color: "var(--muted)", padding: "0.3rem 0.9rem" },
  ".cm-collapsedLines::before, .cm-collapsedLines::after": { content: '""' },
  "&.cm-merge-b .cm-changedLine, .cm-inlineChangedLine, .cm-insertedLine": { backgroundColor: "var(--good-soft)" },
  "&.cm-merge-a .cm-changedLine, .cm-deletedChunk": { backgroundColor: "var(--bad-soft)" },
  "&.cm-merge-b .cm-changedText, .cm-changedText": { background: "color-mix(in srgb, var(--good) 28%, transparent)" },
  "&.cm-merge-a .cm-changedText, .cm-deletedChunk .cm-deletedText": { background: "color-mix(in srgb, var(--bad) 28%, transparent)" },
  // On these grounds the paler colours would be hard to read.
  ".cm-changedLine, .cm-inlineChangedLine, .cm-insertedLine, .cm-deletedChunk": { "--code-comment": "var(--ink)" },
  ".cm-changedText, .cm-deletedText": { "--code-keyword": "var(--ink)", "--code-string": "var(--ink)", "--code-number": "var(--ink)", "--code-name": "var(--ink)" },
  ".cm-changeGutter": { width: "3px" },
});

export const looks = [frame, syntaxHighlighting(colours), EditorView.lineWrapping];
