/** Subscribes over WebSocket with graphql-ws, the reference client of the graphql-transport-ws protocol. */

import { createClient } from "graphql-ws";
import WebSocket from "ws";

import { complete, event, fail, order, ready } from "./report.mjs";

/** Sends a ping right behind the subscription: its pong says that the server has read both. */
class Pinging extends WebSocket {
  send(data, ...rest) {
    super.send(data, ...rest);
    if (JSON.parse(data).type === "subscribe") super.send(JSON.stringify({ type: "ping" }));
  }
}

const client = createClient({
  url: order.url,
  webSocketImpl: Pinging,
  connectionParams: order.apiKey ? { Authorization: `Bearer ${order.apiKey}` } : undefined,
  retryAttempts: 0,
  on: { pong: ready },
});

client.subscribe({ query: order.query, variables: order.variables }, { next: event, error: fail, complete });
