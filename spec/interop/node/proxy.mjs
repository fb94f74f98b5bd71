// SPDX-License-Identifier: MIT
// What lies between: a network that loses answers, and a hand that changes what passes. Everything goes to one of the
// shops; the next `lose` answers to requests that carry a payment are dropped after the shop gave them. `edit` changes
// one thing, each time it passes:
//   { challenge: { amount: "…" } }      members of the first entry of `accepts`; the payment's `accepted` is changed
//                                       back, so that the shop takes it for its own terms
//   { payment: { "payload.authorization.value": "…" } }   members of the payment, by path
import http from "node:http";

const decode = (text) => JSON.parse(Buffer.from(text, "base64").toString());
const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64");

function put(object, path, value) {
  const names = path.split(".");
  const last = names.pop();
  let at = object;
  for (const name of names) at = at[name];
  at[last] = typeof value === "object" && value && value.flip !== undefined ? flip(at[last], value.flip) : value;
}

// One hex digit of a text changed.
const flip = (text, at) => text.slice(0, at) + (text[at] === "0" ? "1" : "0") + text.slice(at + 1);

export async function startProxy(shops, closing) {
  const state = { shop: "express", lose: 0, how: "reset", lost: 0, seen: [], edit: null, terms: null };

  function outgoing(headers) {
    const name = headers["payment-signature"] ? "payment-signature" : "x-payment";
    if (!headers[name]) return headers;
    const payment = decode(headers[name]);
    if (state.edit?.challenge && state.terms && payment.accepted) payment.accepted = state.terms;
    for (const [path, value] of Object.entries(state.edit?.payment ?? {})) put(payment, path, value);
    return { ...headers, [name]: encode(payment) };
  }

  function incoming(headers, body) {
    if (!state.edit?.challenge) return body;
    const required = headers["payment-required"];
    if (required) {
      const challenge = decode(required);
      state.terms = structuredClone(challenge.accepts[0]);
      Object.assign(challenge.accepts[0], state.edit.challenge);
      headers["payment-required"] = encode(challenge);
    } else if (/json/.test(headers["content-type"] ?? "")) {   // V1: the body is the challenge
      const challenge = JSON.parse(body.toString());
      if (challenge.x402Version === 1 && challenge.accepts) {
        Object.assign(challenge.accepts[0], state.edit.challenge);
        return Buffer.from(JSON.stringify(challenge));
      }
    }
    return body;
  }

  const server = http.createServer((req, res) => {
    const paid = req.headers["payment-signature"] ?? req.headers["x-payment"];
    if (paid) state.seen.push(paid);
    const { hostname, port } = new URL(shops[state.shop]);
    const headers = state.edit ? outgoing(req.headers) : req.headers;
    const up = http.request({ hostname, port, path: req.url, method: req.method, headers }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => {
        const given = { ...answer.headers };
        for (const name of ["transfer-encoding", "connection", "keep-alive"]) delete given[name];
        const body = incoming(given, Buffer.concat(parts));
        given["content-length"] = body.length;
        if (paid && state.lose > 0) {
          state.lose--;
          state.lost++;
          if (state.how === "half") {
            res.writeHead(answer.statusCode, given);
            res.write(body.subarray(0, body.length >> 1), () => res.socket.destroy());
          } else if (state.how === "502") {
            res.writeHead(502, { "content-type": "text/html" });
            res.end("<html>bad gateway</html>");
          } else {
            req.socket.destroy();
          }
          return;
        }
        res.writeHead(answer.statusCode, given);
        res.end(body);
      });
    });
    up.on("error", () => req.socket.destroy());
    req.pipe(up);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => server.closeAllConnections());
  return { url: `http://127.0.0.1:${server.address().port}`, state };
}
