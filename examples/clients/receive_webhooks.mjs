// Receives Careline's webhooks with nothing but Node: checks who sent a message, and takes each one once.
//
//     WEBHOOK_SECRET=whsec_… node receive_webhooks.mjs 9000

import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const TOLERANCE_SECONDS = 300;
const LARGEST = 2 * 2 ** 20;
// Ids of messages that were taken. A real receiver keeps them with what it did, in one transaction.
const seen = new Set();

// Whether Careline sent this body, a moment ago. While a secret is replaced there are two signatures.
function isGenuine(secret, headers, body) {
  const id = headers["webhook-id"] ?? "";
  const timestamp = headers["webhook-timestamp"] ?? "";
  if (!id || !/^\d+$/.test(timestamp)) return false;
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > TOLERANCE_SECONDS) return false;
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const expected = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest();
  return (headers["webhook-signature"] ?? "").split(" ").some((each) => {
    const [version, signature] = each.split(",");
    const given = Buffer.from(signature ?? "", "base64");
    return version === "v1" && given.length === expected.length && timingSafeEqual(given, expected);
  });
}

async function bodyOf(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > LARGEST) return null;
    parts.push(part);
  }
  return Buffer.concat(parts); // the bytes as they came: JSON that was read and written again has others
}

// Answers 204 once a message is safe; anything else has it sent again, later.
async function statusOf(request) {
  if (request.method !== "POST") return 405;
  const body = await bodyOf(request);
  if (body === null) return 413;
  if (!isGenuine(process.env.WEBHOOK_SECRET, request.headers, body)) return 401;
  const id = request.headers["webhook-id"];
  if (!seen.has(id)) {
    const message = JSON.parse(body);
    console.log(message.type, JSON.stringify(message.data));
    seen.add(id);
  }
  return 204;
}

const server = createServer(async (request, response) => {
  try {
    response.writeHead(await statusOf(request)).end();
  } catch (error) {
    console.error(error.name);
    response.writeHead(500).end();
  }
});

server.listen(Number(process.argv[2] ?? 9000), "127.0.0.1", () => {
  console.log(`listening on ${server.address().port}`);
});
