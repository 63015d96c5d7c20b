// The stand-in for TDengine as a process: prints its url, lives until its standard input ends.
#include <cstdio>

#include "tests/contract/tdengine_stand_in.h"

int main() {
    const fieldwarden::tdengine_stand_in::StandIn server{"root", "taosdata"};
    std::printf("%s\n", server.url().c_str());
    std::fflush(stdout);
    while (std::getchar() != EOF) {
    }
    return 0;
}
