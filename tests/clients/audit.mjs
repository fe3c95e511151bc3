/** Audits a server against the GraphQL-over-HTTP specification with graphql-http's own suite; one line per audit. */

import { serverAudits } from "graphql-http";

import { order } from "./report.mjs";

const audits = serverAudits({
  url: order.url,
  fetchFn: (url, init = {}) =>
    fetch(url, { ...init, headers: { ...init.headers, Authorization: `Bearer ${order.apiKey}` } }),
});

for (const audit of audits) {
  const { id, name, status, reason = "" } = await audit.fn();
  process.stdout.write(`${JSON.stringify({ id, name, status, reason })}\n`);
}
process.stdout.write("", () => process.exit(0));
