// GET /metrics: the state of the fleet, of the supervisor process and of the HTTP server in Prometheus' text
// format. State is read from the status bus at the moment of the scrape, so that nothing gone lingers.
// Threads: thread safe.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "supervisor/gateway/gateway.h"
#include "supervisor/gateway/router.h"

namespace fieldwarden::supervisor::gateway {

class Metrics {
  public:
    Metrics();
    ~Metrics();
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;

    // `route` is null for a request that fitted none.
    void count_request(const Route* route, int status, std::chrono::duration<double> took);
    std::string text(const Services& services);

  private:
    struct Http;
    std::unique_ptr<Http> http_;
};

}  // namespace fieldwarden::supervisor::gateway
