// `fieldwarden simulate`: mock devices for demos, tests and benchmarks. One process serves many devices.
//
//   fieldwarden simulate --modbus 127.0.0.1:15020 --devices 12     twelve devices on ports 15020 to 15031
//   fieldwarden simulate --modbus 127.0.0.1:0 --control 127.0.0.1:0
//   fieldwarden simulate --mc 127.0.0.1:5007 --mc-1e 127.0.0.1:5551    Mitsubishi PLCs: 3E and 4E frames, and
//   1E
//   fieldwarden simulate --opcua 127.0.0.1:0 --opcua-control 127.0.0.1:0
//   fieldwarden simulate --mqtt-broker 127.0.0.1:1883 --mqtt-devices 3
//
// When all listen, one line of JSON goes to stdout: {"ready":true,"modbus":[15020,…],"control":port}, with
// --mc and --mc-1e also "mc":[port,…], those of --mc first (control is null without --control); with OPC UA
// servers also "opcua":[ports] and "opcua_control":port. SIGINT and SIGTERM end it with exit code 0; a port
// that cannot be bound ends it with 1, wrong usage with 2.
//
// Values: tests/simulator/modbus/signals.h, tests/simulator/mc/memory.h, tests/simulator/opcua/signals.h.
// Faults and the control port: tests/simulator/control_command.h; of the OPC UA server, which has its own:
// tests/simulator/opcua/faults.h. Topics of the MQTT publisher: tests/simulator/mqtt/mqtt_publisher.h; it
// publishes as soon as the broker answers.
#pragma once

namespace fieldwarden::simulator {

// argv[0] is the verb. Blocks until it is told to stop; returns the exit code.
int simulate_main(int argc, char** argv);

}  // namespace fieldwarden::simulator
