// npm run dev: a page about this package, on PORT (3000). Its script asks for what it draws.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";

const PAGE = `<!doctype html>
<meta charset="utf-8"><title>plan</title>
<style>body { margin: 0; font: 20px sans-serif } #light { height: 50vh }</style>
<div id="light"></div><p id="words">not drawn yet</p>
<script type="module">
  const { name, dependencies } = await (await fetch("/package.json")).json();
  document.querySelector("#words").textContent = name + " needs " + Object.keys(dependencies).join(", ");
  document.querySelector("#light").style.background = "rgb(20, 160, 80)";
</script>`;

async function answer(request, response) {
  if (request.url === "/package.json") {
    response.setHeader("content-type", "application/json");
    return response.end(await readFile("package.json"));
  }
  if (request.url !== "/") return response.writeHead(404).end("no such page\n");
  response.setHeader("content-type", "text/html");
  return response.end(PAGE);
}

const server = createServer(answer);
server.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}/`);
});
