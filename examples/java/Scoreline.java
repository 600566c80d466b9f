/** A model in a Java program. Immutable: any number of threads may score with one object. */
public final class Scoreline implements AutoCloseable {
	/** What a row's values may become. The numbers are those of scoreline.h. */
	public enum Output { PREDICTION, MARGIN }

	static {
		System.loadLibrary("scoreline_jni");
	}

	private final long handle;
	private final int features;
	private final java.util.concurrent.locks.ReentrantReadWriteLock open = new java.util.concurrent.locks.ReentrantReadWriteLock();
	private boolean closed;

	/** Open a .slm file. Throws IllegalArgumentException with the library's message if it is not one. */
	public Scoreline(String path) {
		handle = open(path);
		features = features(handle);
	}

	/** Number of features: of values in a row. */
	public int features() {
		return features;
	}

	/** The code of a category's label, to be put into a row; NaN where the model takes an unknown one as missing. */
	public double code(int feature, String label) {
		byte[] text = label == null ? null : label.getBytes(java.nio.charset.StandardCharsets.UTF_8);
		return held(() -> code(handle, feature, text));
	}

	/**
	 * Score rows that lie one after the other: [n, features()], NaN is missing. `scores` receives one value for each row of a model
	 * with one output. Both arrays are used in place; long calls hold up the garbage collector, so give it some thousand rows at most.
	 */
	public void score(double[] rows, double[] scores, Output output) {
		held(() -> {
			score(handle, rows, scores, output.ordinal());
			return null;
		});
	}

	/** The same from direct buffers in native byte order, which the collector knows nothing of: for large batches. */
	public void score(java.nio.ByteBuffer rows, java.nio.ByteBuffer scores, Output output) {
		held(() -> {
			scoreDirect(handle, rows, scores, output.ordinal());
			return null;
		});
	}

	/** Waits for calls that run. Scoring afterwards throws IllegalStateException. */
	@Override
	public void close() {
		open.writeLock().lock();
		try {
			if (!closed)
				close(handle);
			closed = true;
		} finally {
			open.writeLock().unlock();
		}
	}

	private <T> T held(java.util.function.Supplier<T> call) {
		open.readLock().lock();
		try {
			if (closed)
				throw new IllegalStateException("the model is closed");
			return call.get();
		} finally {
			open.readLock().unlock();
		}
	}

	private static native long open(String path);
	private static native int features(long handle);
	private static native double code(long handle, int feature, byte[] label);
	private static native void score(long handle, double[] rows, double[] scores, int output);
	private static native void scoreDirect(long handle, java.nio.ByteBuffer rows, java.nio.ByteBuffer scores, int output);
	private static native void close(long handle);
}
