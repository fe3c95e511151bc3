/** `node follow.mjs URL KEY [CURSOR]` prints every change of a task, for ever, through restarts of the server. */

import { Careline } from "./careline.mjs";

const [url, key, cursor] = process.argv.slice(2);
const CHANGES = `subscription ($after: String) { taskChanged(after: $after) { cursor change task { title } } }`;
for await (const change of new Careline(url, key).follow(CHANGES, cursor)) console.log(JSON.stringify(change));
