// The client alone, for test_cli.py.
#include "supervisor/cli/cli.h"

int main(int argc, char** argv) {
    return fieldwarden::supervisor::cli_main(argc, argv);
}
