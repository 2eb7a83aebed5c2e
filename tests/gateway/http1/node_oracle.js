// What node's own HTTP parser (llhttp, strict) sees in byte streams.
//
// In: a line of JSON for each stream, [method, base64]: method "" is a server's side, else the answer
// to a request of that method. Out: a line for each, [[start, base64 body, whole], ...], or null where
// node refuses. Never: a socket; the streams are handed to node's server and client as connections.
"use strict";
const http = require("http");
const { Duplex } = require("stream");

const LIMITS = { insecureHTTPParser: false, maxHeaderSize: 1 << 17 };
const answering = http.createServer({ ...LIMITS, keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 });
answering.maxHeadersCount = 0;

function connection(bytes) {
  let begun = false;
  const made = new Duplex({
    read() {
      if (begun) return;
      begun = true;
      this.push(bytes);
      this.push(null);
    },
    write: (chunk, encoding, done) => done(),
  });
  made.setTimeout = made.setNoDelay = made.setKeepAlive = made.ref = made.unref = () => made;
  made.on("error", () => {});
  return made;
}

// The end of a stream is no refusal of what came before it.
const refuses = (error) => /^HPE_/.test(error.code) && error.code !== "HPE_INVALID_EOF_STATE";

function follow(message, start) {
  const one = { start, body: [], whole: false };
  message.on("data", (piece) => one.body.push(piece));
  message.on("end", () => (one.whole = message.complete));
  message.on("error", () => {});
  return one;
}

function take(request, response) {
  const talk = request.socket.talk;
  talk.seen.push(follow(request, `${request.method} ${request.url}`));
  if (response) request.on("end", () => response.end());
}
for (const name of ["request", "checkContinue", "checkExpectation"]) answering.on(name, take);
answering.on("connect", (request, socket) => {
  socket.talk.seen.push({ start: `CONNECT ${request.url}`, body: [], whole: true });
  socket.destroy();
});
answering.on("clientError", (error, socket) => {
  socket.talk.refused ||= refuses(error);
  setImmediate(() => socket.destroy()); // what came before it is told first
});

function served(bytes, done) {
  const talk = { seen: [], refused: false };
  const stream = connection(bytes);
  stream.talk = talk;
  stream.on("close", () => setImmediate(done, talk));
  answering.emit("connection", stream);
}

function asked(method, bytes, done) {
  const talk = { seen: [], refused: false };
  const stream = connection(bytes);
  const request = http.request({ method, ...LIMITS, createConnection: () => stream });
  request.maxHeadersCount = 0;
  const first = (one) => talk.seen.length || talk.seen.push(one);
  const bare = ({ statusCode }) => first({ start: `${statusCode}`, body: [], whole: true });
  request.on("information", bare);
  request.on("upgrade", (answer, socket) => (bare(answer), socket.destroy()));
  request.on("response", (answer) => first(follow(answer, `${answer.statusCode}`)));
  request.on("error", (error) => (talk.refused ||= refuses(error)));
  stream.on("close", () => setImmediate(done, talk));
  request.end();
}

const told = ({ start, body, whole }) => [start, Buffer.concat(body).toString("base64"), whole];

async function main() {
  for await (const line of require("readline").createInterface({ input: process.stdin })) {
    const [method, text] = JSON.parse(line);
    const bytes = Buffer.from(text, "base64");
    const talk = await new Promise((done) => (method ? asked(method, bytes, done) : served(bytes, done)));
    process.stdout.write(`${JSON.stringify(talk.refused ? null : talk.seen.map(told))}\n`);
  }
}
main();
