// Preloaded: notes when fieldwarden-worker itself reaches main(), with everything it links, and does nothing
// in any other program.
#include <dlfcn.h>

#include <cstring>

#include "arrival.h"

namespace {
using Main = int (*)(int, char**, char**);
using Start = int (*)(Main, int, char**, void (*)(), void (*)(), void (*)(), void*);
Main real_main;

int noting_main(int argc, char** argv, char** environment) {
    write_arrival();
    return real_main(argc, argv, environment);
}
}  // namespace

// glibc's entry, which is handed the program's main(). Its name is reserved, and this is the one place that
// has a reason to take it.
extern "C" __attribute__((visibility("default"))) int __libc_start_main(Main main, int argc, char** argv,
                                                                        void (*init)(), void (*fini)(),
                                                                        void (*rtld_fini)(),
                                                                        void* stack_end) {
    const auto start = reinterpret_cast<Start>(dlsym(RTLD_NEXT, "__libc_start_main"));
    const char* name = std::strrchr(argv[0], '/');
    if (std::strcmp(name != nullptr ? name + 1 : argv[0], "fieldwarden-worker") == 0) {
        real_main = main;
        main = noting_main;
    }
    return start(main, argc, argv, init, fini, rtld_fini, stack_end);
}
