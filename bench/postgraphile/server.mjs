// A PostGraphile on the benchmark's database: its Amber preset, one process, as many connections as the others.

import { createServer } from "node:http";
import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { grafserv } from "postgraphile/grafserv/node";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";

const { url, port, connections } = JSON.parse(process.argv[2]);
const service = makePgService({
  connectionString: url,
  schemas: ["public"],
  poolConfig: { max: connections },
});
const preset = {
  extends: [PostGraphileAmberPreset],
  pgServices: [service],
  grafserv: { graphqlPath: "/graphql", graphiql: false, watch: false },
  grafast: { explain: false },
};
const server = createServer();
server.keepAliveTimeout = 600_000;
await postgraphile(preset).createServ(grafserv).addTo(server);
server.listen(port, "127.0.0.1", () => console.log("serving"));
