import assert from "node:assert/strict";
import { test } from "node:test";

import { problems } from "../src/plan.js";

test("a plan within its range has no problems, and may have comments", () => {
  assert.deepEqual(problems('{"range": "^2.1.0", "versions": ["2.1.0", "2.9.3"]} // spring'), []);
});

test("a version outside the range is named", () => {
  assert.deepEqual(problems('{"range": "^2.1.0", "versions": ["3.0.0"]}'), ["3.0.0 is outside ^2.1.0"]);
});

test("what is not a plan is refused", () => {
  assert.deepEqual(problems('{"range": 2'), ["the plan cannot be read"]);
});
