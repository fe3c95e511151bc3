/** Subscribes over server-sent events with graphql-sse, the reference client, in its distinct-connections mode. */

import { createClient } from "graphql-sse";

import { complete, event, fail, order, ready } from "./report.mjs";

const client = createClient({
  url: order.url,
  singleConnection: false,
  headers: order.apiKey ? { Authorization: `Bearer ${order.apiKey}` } : {},
  retryAttempts: 0,
  async fetchFn(...request) {
    try {
      const response = await fetch(...request);
      if (response.ok) ready();
      return response;
    } catch (error) {
      fail(error); // here, because the library reports it without its cause
      throw error;
    }
  },
});

client.subscribe({ query: order.query, variables: order.variables }, { next: event, error: fail, complete });
