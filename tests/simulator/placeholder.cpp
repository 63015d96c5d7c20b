namespace fieldwarden::simulator {
int placeholder() {
    return 0;
}
}  // namespace fieldwarden::simulator
