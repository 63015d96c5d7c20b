// The cheapest program to supervise: says that it reached main() and waits to be killed. What is measured
// with it is the supervisor and nothing else. BENCH_EXIT: leaves at once with that code instead, a crash
// loop.
#include "arrival.h"

int main() {
    if (!write_arrival()) return 1;
    if (const char* code = std::getenv("BENCH_EXIT")) return std::atoi(code);
    for (;;) pause();
}
