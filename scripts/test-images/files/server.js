// Answers every request with what it is and what it was asked for.
"use strict";

const http = require("node:http");
const process = require("node:process");

const server = http.createServer((request, response) => {
  const answer = {
    node: process.version,
    path: request.url,
    uid: process.getuid(),
    folder: process.cwd(),
    date: new Intl.DateTimeFormat("de", { month: "long", timeZone: "UTC" }).format(new Date(0)),
  };
  response.writeHead(200, { "Content-Type": "application/json" });
  response.end(JSON.stringify(answer));
});

server.listen(3000, "0.0.0.0", () => console.log("listening on port 3000"));
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => process.exit(0));
}
