// The page that a browser gets at /graphql: GraphiQL, speaking to the address it came from and to nobody else.
import { GraphiQL } from "graphiql";
import "graphiql/style.css";
import { getOperationAST, parse } from "graphql";
import { createClient } from "graphql-ws";
import { createElement, useMemo, useRef, useState } from "react";
import { createRoot } from "react-dom/client";

const QUERY = `# Say who you are in "Headers", below: {"Authorization": "Bearer <API key or token>"}
{
  viewer { role workspace { name now } }
  tasks(first: 3) { nodes { title state dueAt } }
}

# Then "Play" asks which of the two to run.
subscription Changes {
  taskChanged { cursor change task { title state } }
}
`;
const HEADERS = '{\n  "Authorization": "Bearer "\n}';
const here = new URL(location.pathname, location.href);

async function post(params, headers) {
  const answer = await fetch(here, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json", ...headers },
    body: JSON.stringify(params),
  });
  return answer.json();
}

async function* follow(params, headers) {
  const url = new URL(here);
  url.protocol = url.protocol.replace("http", "ws");
  // A socket has no headers of its own in a browser: what the editor says goes into connection_init.
  const client = createClient({ url: url.href, connectionParams: headers, retryAttempts: 3 });
  try {
    yield* client.iterate(params);
  } catch (error) {
    throw error instanceof CloseEvent ? new Error(`closed: ${error.code} ${error.reason}`) : error;
  } finally {
    client.dispose();
  }
}

function fetcherFor() {
  return (params, { headers = {} } = {}) => {
    const operation = getOperationAST(parse(params.query), params.operationName);
    return operation?.operation === "subscription" ? follow(params, headers) : post(params, headers);
  };
}

/** The bearer that the headers name; none while they are being typed. */
function bearerOf(text) {
  try {
    const found = Object.entries(JSON.parse(text)).find(([name]) => name.toLowerCase() === "authorization");
    return String(found?.[1] ?? "");
  } catch {
    return null;
  }
}

function Explorer() {
  const [bearer, setBearer] = useState("");
  const typing = useRef();
  // A fetcher anew has GraphiQL read the schema anew, as whoever the headers speak of by now.
  const fetcher = useMemo(fetcherFor, [bearer]);
  return createElement(GraphiQL, {
    fetcher,
    defaultQuery: QUERY,
    defaultHeaders: HEADERS,
    defaultEditorToolsVisibility: "headers",
    onEditHeaders: (text) => {
      clearTimeout(typing.current);
      typing.current = setTimeout(() => setBearer((before) => bearerOf(text) ?? before), 400);
    },
  });
}

createRoot(document.getElementById("explorer")).render(createElement(Explorer));
