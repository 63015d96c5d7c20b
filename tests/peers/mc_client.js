// Reads and writes a Mitsubishi PLC with the npm package mcprotocol, for tests/system/test_mc_peer.py.
//
//   node mc_client.js '{"port":5551,"frame":"1E","ascii":false,"steps":[{"write":{"D100":5}},{"read":["D100"]}]}'
//
// One line "RESULT {…}" per step: what was read, or whether the client calls what it wrote bad. The package
// prints other lines of its own. Version 0.1.2 looks for the result of a write where only answers of the other
// frame kind have one: with 1E frames it then throws ERR_OUT_OF_RANGE (told as "bad":null, and the end), with 3E
// frames it calls every write bad. Whether a write arrived is to be found out by reading.
"use strict";
const MCProtocol = require("mcprotocol");

const order = JSON.parse(process.argv[2]);
const client = new MCProtocol();

function tell(value) {
  process.stdout.write("\nRESULT " + JSON.stringify(value) + "\n");
}

process.on("uncaughtException", (error) => {
  if (error.code !== "ERR_OUT_OF_RANGE" || !/processMBWriteItem/.test(error.stack)) {
    process.stderr.write(`mc_client: ${error.stack}\n`);
    process.exit(1);
  }
  tell({ bad: null });
  process.exit(0);
});

function run(steps) {
  if (steps.length === 0) {
    client.dropConnection();
    process.exit(0);
  }
  const [step, ...rest] = steps;
  if (step.write) {
    const names = Object.keys(step.write);
    client.writeItems(names, names.map((name) => step.write[name]), (bad) => {
      tell({ bad });
      run(rest);
    });
    return;
  }
  client.addItems(step.read);
  client.readAllItems((bad, values) => {
    tell({ bad, values });
    client.removeItems(step.read);
    run(rest);
  });
}

client.initiateConnection({ host: "127.0.0.1", port: order.port, frame: order.frame, ascii: order.ascii }, (error) => {
  if (typeof error !== "undefined") {
    process.stderr.write(`mc_client: ${error}\n`);
    process.exit(1);
  }
  run(order.steps);
});
