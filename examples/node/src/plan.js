// A release plan, written as JSON with comments: its versions must satisfy its range.
import debug from "debug";
import { parse } from "jsonc-parser";
import semver from "semver";

const log = debug("plan");

export function problems(text) {
  const faults = [];
  const plan = parse(text, faults);
  if (faults.length > 0 || !Array.isArray(plan?.versions)) return ["the plan cannot be read"];
  log("%d versions for %s", plan.versions.length, plan.range);
  return plan.versions
    .filter((version) => !semver.satisfies(version, plan.range))
    .map((version) => `${version} is outside ${plan.range}`);
}
