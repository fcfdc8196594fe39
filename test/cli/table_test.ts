import assert from "node:assert/strict";
import { test } from "node:test";
import { fit, paint, widthOf, wrap } from "../../cli/paint.ts";
import { table } from "../../cli/table.ts";
import { wantsColour } from "../../cli/terminal.ts";

const COLUMNS = [{ title: "NAME" }, { title: "SIZE", alignRight: true, dispensable: 1 }, {
  title: "NOTE",
  dispensable: 2,
}];
const ROWS = [["a", "1 B", "first"], ["longer", "100 MiB", ""]];

test("table: columns line up, numbers to the right", () => {
  assert.deepEqual(table(COLUMNS, ROWS, { columns: 80, indent: "  " }), [
    "  NAME       SIZE  NOTE",
    "  a           1 B  first",
    "  longer  100 MiB",
  ]);
});

test("table: without room the least needed column goes first, then lines are cut", () => {
  assert.deepEqual(table(COLUMNS, ROWS, { columns: 20, indent: "" }), [
    "NAME       SIZE",
    "a           1 B",
    "longer  100 MiB",
  ]);
  assert.deepEqual(table(COLUMNS, ROWS, { columns: 5, indent: "" }), ["NAME", "a", "long…"]);
});

test("table: a column that is empty everywhere is left out", () => {
  assert.deepEqual(table(COLUMNS, [["a", "", ""]], { columns: 80, indent: "" }), ["NAME", "a"]);
});

test("paint: colour takes no room, and what is cut leaves no colour open", () => {
  const painted = paint("blocked", "bad", { colour: true });
  assert.equal(widthOf(painted), 7);
  assert.equal(fit(painted, 4), "blo…");
  assert.equal(paint("blocked", "bad", { colour: false }), "blocked");
});

test("paint: wrapped lines keep their indentation and every word", () => {
  assert.deepEqual(wrap("  one two three", { columns: 9, indent: "    " }), ["  one two", "    three"]);
  assert.deepEqual(wrap("unbreakable", { columns: 3, indent: " " }), ["unbreakable"]);
});

const colours: readonly [Parameters<typeof wantsColour>[0], boolean][] = [
  [{ interactive: true, noColour: undefined, forceColour: undefined, term: "xterm" }, true],
  [{ interactive: false, noColour: undefined, forceColour: undefined, term: "xterm" }, false],
  [{ interactive: true, noColour: "1", forceColour: "1", term: "xterm" }, false],
  [{ interactive: true, noColour: "", forceColour: undefined, term: "xterm" }, true],
  [{ interactive: false, noColour: undefined, forceColour: "1", term: undefined }, true],
  [{ interactive: true, noColour: undefined, forceColour: undefined, term: "dumb" }, false],
];
for (const [situation, expected] of colours) {
  test(`terminal: colour is ${expected} for ${JSON.stringify(situation)}`, () =>
    assert.equal(wantsColour(situation), expected));
}
