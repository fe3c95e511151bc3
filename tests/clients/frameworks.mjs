/** Asks as frontends do: Apollo Client and urql, for a query by POST and by GET, and for a subscription. */

import { ApolloClient, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { Client, fetchExchange, subscriptionExchange } from "@urql/core";
import { createClient } from "graphql-ws";
import WebSocket from "ws";

import { complete, event, fail, order } from "./report.mjs";

const headers = { Authorization: `Bearer ${order.apiKey}` };
const socket = () =>
  createClient({
    url: order.url.replace(/^http/, "ws"),
    webSocketImpl: WebSocket,
    connectionParams: headers,
    retryAttempts: 0,
  });

const apollo = (link) => new ApolloClient({ link, cache: new InMemoryCache() });
const urql = (more) =>
  new Client({ url: order.url, fetchOptions: { headers }, exchanges: [fetchExchange], ...more });

/** Reports as it is what a client makes of an answer: `data`, or what went wrong. */
const told = ({ data, error }) => (error ? fail(error) : event({ data }));
const observer = { next: told, error: fail, complete };

const asked = {
  async "apollo query"() {
    told(await apollo(new HttpLink({ uri: order.url, headers })).query({ query: gql(order.query) }));
  },
  async "apollo subscription"() {
    apollo(new GraphQLWsLink(socket()))
      .subscribe({ query: gql(order.query), variables: order.variables })
      .subscribe(observer);
  },
  async "urql query"() {
    told(await urql({ preferGetMethod: false }).query(order.query, order.variables).toPromise());
  },
  async "urql query by GET"() {
    told(await urql({ preferGetMethod: "force" }).query(order.query, order.variables).toPromise());
  },
  // With fetchSubscriptions urql reads a subscription from the answer of a POST, as server-sent events.
  async "urql subscription"() {
    urql({ fetchSubscriptions: true }).subscription(order.query, order.variables).subscribe(told);
  },
  async "urql subscription by WebSocket"() {
    const live = socket();
    const forwardSubscription = (request) => ({
      subscribe: (sink) => ({ unsubscribe: live.subscribe({ ...request, query: request.query ?? "" }, sink) }),
    });
    urql({ exchanges: [subscriptionExchange({ forwardSubscription })] })
      .subscription(order.query, order.variables)
      .subscribe(told);
  },
};

asked[order.as]().catch(fail);
