# The `enshrine` command, and nothing else: a devnet, or the node of a rollup.
#
#   docker build -t enshrine .
#   docker run -p 8545:8545 enshrine devnet --host 0.0.0.0

FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
    && apt-get install --no-install-recommends --yes cmake g++ make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /enshrine
COPY . .
RUN cargo build --release --workspace --bin enshrine --locked

FROM debian:bookworm-slim
COPY --from=build /enshrine/target/release/enshrine /usr/local/bin/enshrine
RUN useradd --create-home --home-dir /var/lib/enshrine --uid 10001 enshrine
USER enshrine
WORKDIR /var/lib/enshrine
EXPOSE 8545
ENTRYPOINT ["enshrine"]
CMD ["devnet", "--host", "0.0.0.0"]
