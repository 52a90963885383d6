package gateway;

/** A request that this gateway refuses itself. */
final class Refused extends RuntimeException {
  final int status;

  Refused(int status, String message) {
    super(message);
    this.status = status;
  }
}
