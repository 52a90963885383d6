package gateway;

import io.grpc.CallCredentials;
import io.grpc.ChannelCredentials;
import io.grpc.InsecureChannelCredentials;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.TlsChannelCredentials;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Executor;

/** TLS and the token of the service, from {@code POINTSMAN_*}: plaintext and no token by default. */
final class Secrets {
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  private Secrets() {}

  /** The system's roots or those of a file, and a client certificate if there is one. */
  static ChannelCredentials channel() throws IOException {
    Optional<File> authority = file("CA");
    if (authority.isEmpty() && !"true".equals(System.getenv("POINTSMAN_TLS"))) {
      return InsecureChannelCredentials.create();
    }
    TlsChannelCredentials.Builder tls = TlsChannelCredentials.newBuilder();
    if (authority.isPresent()) {
      tls.trustManager(authority.get());
    }
    Optional<File> certificate = file("CERT");
    if (certificate.isPresent()) {
      tls.keyManager(certificate.get(), file("KEY").orElseThrow());
    }
    return tls.build();
  }

  /** Reads the bearer token before every call, so that a rotated one is used at once. */
  static Optional<CallCredentials> token() {
    return file("TOKEN").map(File::toPath).map(TokenFile::new);
  }

  private static Optional<File> file(String name) {
    return Optional.ofNullable(System.getenv("POINTSMAN_" + name + "_FILE"))
        .filter(path -> !path.isEmpty())
        .map(File::new);
  }

  private static final class TokenFile extends CallCredentials {
    private final Path path;

    TokenFile(Path path) {
      this.path = path;
    }

    @Override
    public void applyRequestMetadata(
        RequestInfo call, Executor executor, MetadataApplier applier) {
      executor.execute(
          () -> {
            Metadata headers = new Metadata();
            try {
              headers.put(AUTHORIZATION, "Bearer " + Files.readString(path).strip());
            } catch (IOException e) {
              applier.fail(Status.UNAUTHENTICATED.withCause(e));
              return;
            }
            applier.apply(headers);
          });
    }
  }
}
