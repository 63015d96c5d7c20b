// What the API handlers work with: the services of the supervisor and the gateway's own helpers.
#pragma once

#include "supervisor/gateway/gateway.h"

namespace fieldwarden::supervisor {
class Accounts;
}

namespace fieldwarden::supervisor::gateway {

class PlantIndexes;
class ImportDesk;
class Metrics;
class WriteGate;

struct Context {
    const Services& services;
    PlantIndexes& indexes;
    ImportDesk& imports;
    Metrics& metrics;
    WriteGate& writes;
    Accounts& accounts;
};

}  // namespace fieldwarden::supervisor::gateway
