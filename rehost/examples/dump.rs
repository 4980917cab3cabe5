fn main() {
    std::fs::write(
        "/tmp/h7-armel.cpio",
        rehost::userland::builtin(rehost::userland::Abi::Soft),
    )
    .unwrap();
    std::fs::write(
        "/tmp/h7-armhf.cpio",
        rehost::userland::builtin(rehost::userland::Abi::Hard),
    )
    .unwrap();
}
