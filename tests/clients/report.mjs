/** How both clients take their orders and report: one JSON argument in, one JSON line out per event. */

/** The argument: {url, apiKey, query, variables, count, timeoutMs}. */
export const order = { variables: {}, count: 1, timeoutMs: 10_000, ...JSON.parse(process.argv[2] ?? "{}") };

let events = 0;
let announced = false;
let ended = false;

const print = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

/** End the program, once, when what it printed has left it. */
function end(code, stream, text = "") {
  if (ended) return;
  ended = true;
  stream.write(text, () => process.exit(code));
}

/** Say, once, that the server holds the subscription. */
export function ready() {
  if (!announced) print({ ready: true });
  announced = true;
}

/** Report one result; end well after the last one that was asked for. */
export function event(result) {
  if (ended) return;
  if (result.errors && result.data == null) return fail(result.errors);
  ready();
  print(result);
  events += 1;
  if (events >= order.count) end(0, process.stdout);
}

/** End badly, with the reason on standard error. */
export function fail(reason) {
  end(1, process.stderr, `${describe(reason)}\n`);
}

/** The server ended the subscription: too early, unless all events have come. */
export function complete() {
  if (events < order.count) fail(`the server ended the subscription after ${events} of ${order.count} events`);
}

function describe(reason) {
  if (typeof reason === "string") return reason;
  if (reason instanceof Error) return reason.cause ? `${reason.message}: ${describe(reason.cause)}` : `${reason.stack}`;
  // The events of a WebSocket keep what they know where JSON does not see it.
  if (reason?.error) return describe(reason.error);
  if (reason?.code !== undefined) return `closed with code ${reason.code}: ${reason.reason ?? ""}`;
  return JSON.stringify(reason);
}

setTimeout(
  () => fail(`${events} of ${order.count} events after ${order.timeoutMs} ms (subscribed: ${announced})`),
  order.timeoutMs,
);
