import assert from "node:assert/strict";
import { test } from "node:test";
import { readJunit } from "./junit.ts";

const DENO_REPORT = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="9" failures="3" errors="0" time="0.012">
    <testsuite name="./a_test.ts" tests="6" disabled="1" errors="0" failures="3">
        <testcase name="plain passes" classname="./a_test.ts" time="0.001" line="3" col="1">
        </testcase>
        <testcase name="fails with &lt;xml&gt; &amp; things" classname="./a_test.ts" time="0.001" line="4" col="1">
            <failure message="Uncaught AssertionError: 1 !== 2 ">AssertionError
test(&quot;a &lt;testcase name=&quot;) </failure>
        </testcase>
        <testcase name="skipped" classname="./a_test.ts" time="0.000" line="5" col="1">
            <skipped/>
        </testcase>
        <testcase name="parent" classname="./a_test.ts" time="0.002" line="9" col="1">
            <failure message="1 test step failed">1 test step failed.</failure>
        </testcase>
        <testcase name="alone" classname="./a_test.ts" time="0.002" line="12" col="1">
            <failure message="after its steps">after its steps</failure>
        </testcase>
        <testcase name="cancelled" classname="./a_test.ts" time="0.000" line="1" col="33">
            <error message="Cancelled"/>
        </testcase>
        <testcase name="parent &gt; child ok" classname="./a_test.ts" time="0.000" line="9" col="39">
        </testcase>
        <testcase name="alone &gt; child ok" classname="./a_test.ts" time="0.000" line="9" col="39">
        </testcase>
    </testsuite>
    <testsuite name="ext:deno_node/testing.ts" tests="3" disabled="1" errors="0" failures="1">
        <testcase name="parent &gt; child bad" classname="x" time="0.000" line="9" col="75">
            <failure message="Uncaught Error: x">Error: x</failure>
        </testcase>
    </testsuite>
</testsuites>`;

const NODE_REPORT = `<?xml version="1.0" encoding="utf-8"?>
<testsuites>
	<testcase name="plain passes" time="0.000684" classname="test" file="/a_test.ts"/>
	<testcase name="fails with &lt;xml> &amp; things" time="0.7" classname="test" file="/a_test.ts" failure="1 > 2&#10;">
		<failure type="testCodeFailure" message="1 > 2">
[Error: &lt;testcase name="no" />]
		</failure>
	</testcase>
	<testcase name="skipped" time="0.000127" classname="test" file="/a_test.ts">
		<skipped type="skipped" message="kernel lacks nbd"/>
	</testcase>
	<testsuite name="parent" time="0.001479" disabled="0" errors="0" tests="2" failures="1" skipped="0">
		<testcase name="child ok" time="0.000958" classname="parent" file="/a_test.ts"/>
		<testcase name="child bad" time="0.000135" classname="parent" file="/a_test.ts" failure="x">
			<failure type="testCodeFailure" message="x">Error</failure>
		</testcase>
	</testsuite>
	<!-- pass 4 -->
</testsuites>`;

function short(xml: string): string[] {
  return readJunit(xml).map((each) =>
    `${each.outcome} ${each.name}${each.reason === "" ? "" : ` (${each.reason})`}`
  );
}

test("junit: Deno's report counts leaves, and a parent only when it failed by itself", () => {
  assert.deepEqual(short(DENO_REPORT), [
    "passed plain passes",
    "failed fails with <xml> & things",
    "skipped skipped",
    "failed alone",
    "failed cancelled",
    "passed parent > child ok",
    "passed alone > child ok",
    "failed parent > child bad",
  ]);
});

test("junit: Node's report, with angle brackets unescaped in attributes, counts the same", () => {
  assert.deepEqual(short(NODE_REPORT), [
    "passed plain passes",
    "failed fails with <xml> & things",
    "skipped skipped (kernel lacks nbd)",
    "passed parent > child ok",
    "failed parent > child bad",
  ]);
});

test("junit: an absent or truncated report yields no case that never was", () => {
  assert.deepEqual(readJunit(""), []);
  assert.deepEqual(readJunit('<?xml version="1.0"?>\n<testsuites>\n'), []);
});
