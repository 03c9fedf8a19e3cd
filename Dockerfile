# docker build -t bylaw .
FROM rust:1.95.0-bookworm AS build
WORKDIR /bylaw
COPY . .
RUN cargo build --locked --release --bin bylaw

# glibc, libgcc and the certificates of public authorities; no shell, no package manager.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /bylaw/target/release/bylaw /usr/local/bin/bylaw
# By number, so that Kubernetes sees that it is not root.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/bylaw"]
CMD ["controller"]
