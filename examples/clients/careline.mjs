/** A small client of Careline for Node 18 or newer and browsers: nothing to install. Copy it, change it. */

import { setTimeout as pause } from "node:timers/promises";

/** What Careline answered instead of data; `code` is the first error's `extensions.code`. */
export class Failed extends Error {
  constructor(errors) {
    super(errors.map((error) => error.message).join("; "));
    this.errors = errors;
    this.extensions = errors[0]?.extensions ?? {};
    this.code = this.extensions.code;
  }
}

/** An expected no of the business: `reasons` are [{code, message, field}], `field` being a path from the arguments. */
export class Refused extends Error {
  constructor(refusal) {
    super(refusal.userErrors.map((reason) => reason.message).join("; "));
    this.reasons = refusal.userErrors;
  }
}

export class Careline {
  constructor(url, key) {
    this.url = `${url}/graphql`;
    this.headers = { "Content-Type": "application/json", Authorization: `Bearer ${key}` };
  }

  /** The data of a query. Waits and tries again while Careline says that it is too much or too early. */
  async ask(query, variables = {}, tries = 5) {
    const response = await fetch(this.url, {
      method: "POST",
      headers: { ...this.headers, Accept: "application/graphql-response+json" },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = await response.json();
    if (!errors) return data;
    const failed = new Failed(errors);
    const wait = failed.extensions.retryAfterSeconds ?? (failed.code === "UNAVAILABLE" ? 1 : null);
    if (wait === null || tries <= 1) throw failed;
    await pause(wait * 1000);
    return this.ask(query, variables, tries - 1);
  }

  /** The payload of a mutation with one field, or `Refused`. Ask for `__typename` and `... on Refusal`. */
  async change(mutation, variables = {}) {
    const [payload] = Object.values(await this.ask(mutation, variables));
    if (payload.__typename === "Refusal") throw new Refused(payload);
    return payload;
  }

  /** All items of a list, page by page. The query takes `$after`; `find` picks the connection out of the data. */
  async *all(query, find, variables = {}) {
    for (let after = null; ; ) {
      const { nodes, pageInfo } = find(await this.ask(query, { ...variables, after }));
      yield* nodes;
      if (!pageInfo.hasNextPage) return;
      after = pageInfo.endCursor;
    }
  }

  /**
   * Every change from a cursor on, or from now on, for ever: a lost connection is taken up again where it was.
   * The subscription takes `$after` and selects `cursor`. Throws `Failed`; with the code RESYNC_REQUIRED the
   * cursor is too old: read everything anew, then follow without one.
   */
  async *follow(subscription, after = null) {
    for (let wait = 0.1; ; wait = Math.min(wait * 2, 30)) {
      try {
        for await (const change of this.#events(subscription, after)) {
          after = change.cursor ?? after;
          wait = 0.1;
          yield change;
        }
      } catch (error) {
        if (error instanceof Failed && error.code !== "UNAVAILABLE" && !error.extensions.retryAfterSeconds) throw error;
      }
      await pause(wait * 1000 * (0.5 + Math.random()));
    }
  }

  async *#events(query, after) {
    const stop = new AbortController();
    try {
      const response = await fetch(this.url, {
        method: "POST",
        headers: { ...this.headers, Accept: "text/event-stream" },
        body: JSON.stringify({ query, variables: { after } }),
        signal: stop.signal,
      });
      if (!response.ok) throw new Failed((await response.json()).errors);
      let text = "";
      for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
        const blocks = (text + chunk).split("\n\n");
        text = blocks.pop();
        for (const block of blocks) {
          const data = block.match(/^event: next$[^]*?^data: (.*)$/m)?.[1];
          if (!data) continue;
          const result = JSON.parse(data);
          if (result.errors) throw new Failed(result.errors);
          yield Object.values(result.data)[0];
        }
      }
    } finally {
      stop.abort();
    }
  }
}
