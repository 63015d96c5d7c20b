// `fieldwarden simulate`: mock devices for demos, tests and benchmarks. One process serves many devices.
//
//   fieldwarden simulate --modbus 127.0.0.1:15020 --devices 12     twelve devices on ports 15020 to 15031
//   fieldwarden simulate --modbus 127.0.0.1:0 --control 127.0.0.1:0
//   fieldwarden simulate --mc 127.0.0.1:5007 --mc-1e 127.0.0.1:5551    Mitsubishi PLCs: 3E and 4E frames, and
//   1E
//
// When all listen, one line of JSON goes to stdout: {"ready":true,"modbus":[15020,…],"control":port}, with
// --mc and --mc-1e also "mc":[port,…], those of --mc first (control is null without --control). SIGINT and
// SIGTERM end it with exit code 0; a port that cannot be bound ends it with 1, wrong usage with 2.
//
// Values: tests/simulator/modbus/signals.h, tests/simulator/mc/memory.h. Faults and the control port:
// tests/simulator/control_command.h.
#pragma once

namespace fieldwarden::simulator {

// argv[0] is the verb. Blocks until it is told to stop; returns the exit code.
int simulate_main(int argc, char** argv);

}  // namespace fieldwarden::simulator
