/** A tour of the API: `node tour.mjs URL KEY` asks, changes, is refused, reads pages and follows. */

import { Careline, Refused } from "./careline.mjs";

const careline = new Careline(process.argv[2], process.argv[3]);
const say = (what, value) => console.log(JSON.stringify({ [what]: value }));

const REFUSAL = "... on Refusal { userErrors { code message field } }";
const TASK_CREATE = `mutation ($input: TaskCreateInput!, $idempotencyKey: String) {
  taskCreate(input: $input, idempotencyKey: $idempotencyKey) { __typename
    ... on TaskCreatePayload { task { id title version } } ${REFUSAL} } }`;

// Ask.
const { viewer } = await careline.ask("{ viewer { role workspace { name } } }");
say("role", viewer.role);

// Change. With an idempotency key a request may be sent again: it is done once, and answered alike.
const { customer } = await careline.change(`mutation { customerUpsert(input: {externalId: "TOUR-1", name: "Li Lei"}) {
  __typename ... on CustomerUpsertPayload { customer { id } } ${REFUSAL} } }`);
const stamp = `tour-${process.pid}-${Date.now()}`;
const create = (title) =>
  careline.change(TASK_CREATE, { input: { customerId: customer.id, title }, idempotencyKey: `${stamp} ${title}` });
const titles = [1, 2, 3].map((number) => `${stamp} ${number}`);
const made = [];
for (const title of titles) made.push((await create(title)).task);
say("once", (await create(titles[0])).task.id === made[0].id);

// Be refused: every reason has a code and the path of what it is about.
try {
  await careline.change(TASK_CREATE, { input: { customerId: customer.id, title: " " } });
} catch (error) {
  if (!(error instanceof Refused)) throw error;
  say("refused", error.reasons.map(({ code, field }) => [code, field.join(".")]));
}

// Read a list to its end, two at a time.
const seen = [];
const tasks = careline.all(
  `query ($after: String) { tasks(first: 2, after: $after) { nodes { title } pageInfo { hasNextPage endCursor } } }`,
  (data) => data.tasks,
);
for await (const task of tasks) if (task.title.startsWith(stamp)) seen.push(task.title);
say("pages", seen.sort().join() === titles.join());

// Follow from a cursor on. What happened while nobody listened is told first, and nothing twice.
const { feed } = await careline.ask("{ feed { head } }");
const complete = (task) =>
  careline.change(
    `mutation ($id: ID!, $version: Int) { taskComplete(id: $id, expectedVersion: $version, input: {result: REACHED}) {
      __typename ... on TaskCompletePayload { task { state } } ${REFUSAL} } }`,
    { id: task.id, version: task.version },
  );
const CHANGES = `subscription ($after: String) { taskChanged(after: $after) { cursor change task { id title } } }`;
let cursor = feed.head;
for (const task of made) {
  await complete(task);
  for await (const change of careline.follow(CHANGES, cursor)) {
    cursor = change.cursor;
    if (change.change !== "task.completed") continue; // their openings may come first: places are given after commit
    say("heard", [change.change, made.findIndex((each) => each.id === change.task.id)]);
    break; // hang up, and come back with the cursor
  }
}
