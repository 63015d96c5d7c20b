// `fieldwarden simulate`: mock devices for demos, tests and benchmarks. One process serves many devices.
//
//   fieldwarden simulate --modbus 127.0.0.1:15020 --devices 12     twelve devices on ports 15020 to 15031
//   fieldwarden simulate --modbus 127.0.0.1:0 --control 127.0.0.1:0
//   fieldwarden simulate --opcua 127.0.0.1:0 --opcua-control 127.0.0.1:0
//   fieldwarden simulate --mqtt-broker 127.0.0.1:1883 --mqtt-devices 3
//
// When all listen, one line of JSON goes to stdout: {"ready":true,"modbus":[15020,…],"control":port} (control
// is null without --control); with OPC UA servers also "opcua":[ports] and "opcua_control":port. SIGINT and
// SIGTERM end it with exit code 0; a port that cannot be bound ends it with 1, wrong usage with 2.
//
// Values: tests/simulator/modbus/signals.h. Faults and the control port: tests/simulator/modbus/faults.h.
// Those of the OPC UA server: tests/simulator/opcua/signals.h and faults.h. Topics of the MQTT publisher:
// tests/simulator/mqtt/mqtt_publisher.h; it publishes as soon as the broker answers.
#pragma once

namespace fieldwarden::simulator {

// argv[0] is the verb. Blocks until it is told to stop; returns the exit code.
int simulate_main(int argc, char** argv);

}  // namespace fieldwarden::simulator
