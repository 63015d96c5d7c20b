namespace fieldwarden::worker {
int placeholder() {
    return 0;
}
}  // namespace fieldwarden::worker
