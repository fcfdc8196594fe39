/** Questions between nodes and from browsers: only whole ones of the list, and answers of bounded length. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ANSWER_CHARACTERS_MAX,
  answerText,
  parseAdminQuestion,
  parseQuestionAnswer,
  questionOfQuery,
} from "../../protocol/admin_questions.ts";

const WRONG: readonly [string, unknown, RegExp][] = [
  ["no object", 3, /not an object/],
  ["an unknown kind", { kind: "kill" }, /no question is of the kind "kill"/],
  ["a kind of the language", { kind: "constructor" }, /no question is of the kind/],
  ["a field too many", { kind: "status", path: "x" }, /status has no field "path"/],
  ["a field too few", { kind: "state" }, /path is not there/],
  [
    "a number beyond its bound",
    { kind: "regions", group: "db", cells: 100_000 },
    /cells is not a whole number/,
  ],
  ["a number that is text", { kind: "trace", trace: "t", after: "1" }, /after is not a whole number/],
  ["endless text", { kind: "state", path: "x".repeat(10_000) }, /at most 512/],
  ["no moment", { kind: "events", since: "yesterday" }, /since is not a moment/],
];

for (const [what, value, expected] of WRONG) {
  test(`question: ${what} is refused`, () => {
    const parsed = parseAdminQuestion(value);
    assert.match("wrong" in parsed ? parsed.wrong : "it passed", expected);
  });
}

test("question: a GET asks what changes nothing, with numbers read from its words", () => {
  assert.deepEqual(questionOfQuery("events", { after: "12", limit: "5" }), {
    kind: "events",
    after: 12,
    limit: 5,
  });
  assert.ok("wrong" in questionOfQuery("trace_start", { path: "node" }));
  assert.ok("wrong" in questionOfQuery("events", { after: "-1" }));
});

test("answer: what is too long becomes a refusal, and what is none is not taken for one", () => {
  const long = answerText({ ok: true, value: "x".repeat(ANSWER_CHARACTERS_MAX) });
  assert.ok(long.length < 1_000);
  assert.equal(parseQuestionAnswer(long)?.ok, false);
  assert.deepEqual(parseQuestionAnswer(answerText({ ok: true, value: [1] })), { ok: true, value: [1] });
  for (const text of ["{", "null", '{"ok":false,"kind":"x","cause":""}', 3]) {
    assert.equal(parseQuestionAnswer(text), undefined, String(text));
  }
});
