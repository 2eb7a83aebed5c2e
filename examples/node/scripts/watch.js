// npm run watch: writes dist/sources.json anew when a source changes, until src/ has a file `stop`.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, watch, writeFileSync } from "node:fs";

const hash = (path) => createHash("sha256").update(readFileSync(path)).digest("hex");
let last = "";

function build() {
  const names = readdirSync("src").filter((name) => name.endsWith(".js"));
  const built = JSON.stringify(Object.fromEntries(names.map((name) => [name, hash(`src/${name}`)])));
  if (built === last) return; // one save is several events
  last = built;
  mkdirSync("dist", { recursive: true });
  writeFileSync("dist/sources.json", built);
  console.log(`built ${names.length} files`);
}

const watcher = watch("src", () => {
  if (readdirSync("src").includes("stop")) {
    watcher.close();
    console.log("stopped");
    process.exitCode = 3;
  } else build();
});
build();
