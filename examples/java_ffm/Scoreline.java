import static java.lang.foreign.MemoryLayout.PathElement.groupElement;
import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * A model in a Java program, through the foreign functions of JDK 22 and later: no C but the library itself. The same class as
 * examples/java has over native methods. Immutable: any number of threads may score with one object.
 */
public final class Scoreline implements AutoCloseable {
	/** What a row's values may become. The numbers are those of scoreline.h. */
	public enum Output { PREDICTION, MARGIN }

	/* scoreline.h's structs; LayoutsTest compares them with the pinned binary interface. score_input with its member u.rows. */
	static final StructLayout ERROR = MemoryLayout.structLayout(JAVA_INT.withName("code"), JAVA_INT.withName("reserved"),
		JAVA_LONG.withName("offset"), JAVA_LONG.withName("line"), MemoryLayout.sequenceLayout(232, JAVA_BYTE).withName("message"))
		.withName("score_error");
	/** The beginning of score_model_info: the library writes no more than its struct_size says. */
	static final StructLayout INFO = MemoryLayout.structLayout(JAVA_LONG.withName("struct_size"), JAVA_INT.withName("kind"),
		JAVA_INT.withName("n_features"), JAVA_INT.withName("n_outputs"), JAVA_INT.withName("n_predictions"))
		.withName("score_model_info");
	static final StructLayout INPUT = MemoryLayout.structLayout(JAVA_LONG.withName("struct_size"), JAVA_INT.withName("layout"),
		JAVA_INT.withName("dtype"), JAVA_LONG.withName("n_rows"), JAVA_LONG.withName("n_columns"), ADDRESS.withName("u.rows.data"),
		JAVA_LONG.withName("u.rows.row_stride_bytes"), JAVA_LONG.withName("u.rows.column_stride_bytes"),
		MemoryLayout.sequenceLayout(5, JAVA_LONG).withName("reserved")).withName("score_input");
	static final StructLayout OPTIONS = MemoryLayout.structLayout(JAVA_LONG.withName("struct_size"), JAVA_INT.withName("output"),
		JAVA_INT.withName("regime"), JAVA_INT.withName("tree_begin"), JAVA_INT.withName("tree_end"), ADDRESS.withName("plan"),
		ADDRESS.withName("scratch"), JAVA_LONG.withName("scratch_bytes"), ADDRESS.withName("explainer")).withName("score_options");
	private static final long N_ROWS = INPUT.byteOffset(groupElement("n_rows")), DATA = INPUT.byteOffset(groupElement("u.rows.data")),
		OUTPUT = OPTIONS.byteOffset(groupElement("output")), MESSAGE = ERROR.byteOffset(groupElement("message"));
	private static final int ROWS = 1, F64 = 2, ERR_MEMORY = 2;

	/** Rows of a double[] go to the library through native memory, in pieces of this size but of no fewer rows than it scores together. */
	private static final long PIECE_BYTES = 1 << 18, PIECE_ROWS = 512;
	/** Calls of so few rows last microseconds: they need not tell the collector that they run. */
	private static final long SHORT_CALL = 16;

	private static final Library LIBRARY = new Library();

	private final Arena arena = Arena.ofShared();
	private final MemorySegment model;
	private final int features;
	private final ConcurrentLinkedQueue<Call> calls = new ConcurrentLinkedQueue<>();
	private final ReentrantReadWriteLock open = new ReentrantReadWriteLock();
	private boolean closed;

	/** Open a .slm file. Throws IllegalArgumentException with the library's message if it is not one. */
	public Scoreline(String path) {
		if (path == null)
			throw new NullPointerException("expected the path of a model, found null");
		try (Arena mine = Arena.ofConfined()) {
			MemorySegment out = mine.allocate(ADDRESS), error = mine.allocate(ERROR), info = mine.allocate(INFO);
			check(LIBRARY.open(mine.allocateFrom(path), out, error), error);
			model = out.get(ADDRESS, 0);
			info.set(JAVA_LONG, 0, INFO.byteSize());
			LIBRARY.info(model, info);
			features = info.get(JAVA_INT, INFO.byteOffset(groupElement("n_features")));
			int outputs = info.get(JAVA_INT, INFO.byteOffset(groupElement("n_outputs")));
			int predictions = info.get(JAVA_INT, INFO.byteOffset(groupElement("n_predictions")));
			if (outputs != 1 || predictions != 1) {
				LIBRARY.free(model);
				throw new IllegalArgumentException("expected a model with one output, found one with " + predictions);
			}
		}
	}

	/** Number of features: of values in a row. */
	public int features() {
		return features;
	}

	/** The code of a category's label, to be put into a row; NaN where the model takes an unknown one as missing. */
	public double code(int feature, String label) {
		lock();
		try (Arena mine = Arena.ofConfined()) {
			if (feature < 0 || feature >= features)
				throw new IllegalArgumentException("expected a feature below " + features + ", found feature " + feature);
			if (label == null || LIBRARY.dictionary(model, feature) == 0)
				throw new IllegalArgumentException("expected a label of a feature that has a dictionary, found feature " + feature +
					(label == null ? " and null" : ""));
			MemorySegment code = mine.allocate(JAVA_DOUBLE);
			byte[] text = label.getBytes(StandardCharsets.UTF_8);
			LIBRARY.find(model, feature, mine.allocateFrom(JAVA_BYTE, text), text.length, code);
			double found = code.get(JAVA_DOUBLE, 0);
			if (found == Double.POSITIVE_INFINITY)
				throw new IllegalArgumentException("feature " + feature + " has no label '" + label + "'");
			return found;
		} finally {
			unlock();
		}
	}

	/**
	 * Score rows that lie one after the other: [n, features()], NaN is missing. `scores` receives one value for each row. Both are
	 * copied, for the struct that describes the rows holds an address, and arrays have none.
	 */
	public void score(double[] rows, double[] scores, Output output) {
		if (rows == null || scores == null)
			throw new NullPointerException("expected two arrays, found null");
		fits(rows.length, scores.length);
		lock();
		Call call = take();
		try {
			for (int row = 0; row < scores.length; row += call.capacity) {
				int n = Math.min(call.capacity, scores.length - row);
				MemorySegment.copy(rows, row * features, call.rows, JAVA_DOUBLE, 0, n * features);
				call.score(call.rows, call.scores, n, output);
				MemorySegment.copy(call.scores, JAVA_DOUBLE, 0, scores, row, n);
			}
		} finally {
			calls.add(call);
			unlock();
		}
	}

	/** The same from direct buffers in native byte order, which are used in place. */
	public void score(ByteBuffer rows, ByteBuffer scores, Output output) {
		if (rows == null || scores == null || !rows.isDirect() || !scores.isDirect() || scores.isReadOnly())
			throw new IllegalArgumentException("expected two direct buffers that begin at a multiple of 8");
		MemorySegment in = MemorySegment.ofBuffer(rows.duplicate().clear()), out = MemorySegment.ofBuffer(scores.duplicate().clear());
		if (in.address() % 8 != 0 || out.address() % 8 != 0)
			throw new IllegalArgumentException("expected two direct buffers that begin at a multiple of 8");
		long n = out.byteSize() / 8;
		fits(in.byteSize() / 8, n);
		lock();
		Call call = take();
		try {
			call.score(in, out, n, output);
		} finally {
			Reference.reachabilityFence(rows); /* the struct has its address only */
			calls.add(call);
			unlock();
		}
	}

	/** Waits for calls that run. Scoring afterwards throws IllegalStateException. */
	@Override
	public void close() {
		open.writeLock().lock();
		try {
			if (!closed) {
				LIBRARY.free(model);
				arena.close();
			}
			closed = true;
		} finally {
			open.writeLock().unlock();
		}
	}

	private void lock() {
		open.readLock().lock();
		if (!closed)
			return;
		open.readLock().unlock();
		throw new IllegalStateException("the model is closed");
	}

	private void unlock() {
		open.readLock().unlock();
	}

	private void fits(long values, long scores) {
		if (values != scores * features)
			throw new IllegalArgumentException("expected " + scores * features + " values for " + scores + " scores of a model with "
				+ features + " features, found " + values);
	}

	private Call take() {
		Call call = calls.poll();
		return call != null ? call : new Call();
	}

	private static void check(int status, MemorySegment error) {
		if (status == ERR_MEMORY)
			throw new OutOfMemoryError(error.getString(MESSAGE));
		if (status != 0)
			throw new IllegalArgumentException(error.getString(MESSAGE));
	}

	/** What a call needs in native memory. As many are made as calls have run at once; they go with the model. */
	private final class Call {
		final int capacity;
		final MemorySegment input = arena.allocate(INPUT), options = arena.allocate(OPTIONS), error = arena.allocate(ERROR);
		final MemorySegment rows, scores;

		Call() {
			long rowBytes = 8L * features, scratchBytes = LIBRARY.scratchBytes(model);
			capacity = (int) Math.max(PIECE_ROWS, PIECE_BYTES / rowBytes);
			rows = arena.allocate(capacity * rowBytes, 64);
			scores = arena.allocate(8L * capacity, 64);
			input.set(JAVA_LONG, 0, INPUT.byteSize());
			input.set(JAVA_INT, INPUT.byteOffset(groupElement("layout")), ROWS);
			input.set(JAVA_INT, INPUT.byteOffset(groupElement("dtype")), F64);
			input.set(JAVA_LONG, INPUT.byteOffset(groupElement("n_columns")), features);
			input.set(JAVA_LONG, INPUT.byteOffset(groupElement("u.rows.row_stride_bytes")), rowBytes);
			input.set(JAVA_LONG, INPUT.byteOffset(groupElement("u.rows.column_stride_bytes")), 8);
			options.set(JAVA_LONG, 0, OPTIONS.byteSize());
			options.set(ADDRESS, OPTIONS.byteOffset(groupElement("scratch")), arena.allocate(Math.max(1, scratchBytes), 64));
			options.set(JAVA_LONG, OPTIONS.byteOffset(groupElement("scratch_bytes")), scratchBytes);
		}

		void score(MemorySegment from, MemorySegment to, long n, Output output) {
			input.set(JAVA_LONG, N_ROWS, n);
			input.set(ADDRESS, DATA, from);
			options.set(JAVA_INT, OUTPUT, output.ordinal());
			check(LIBRARY.batch(n < SHORT_CALL, model, input, to, n, options, error), error);
		}
	}

	/** The functions of the shared library: the system property scoreline.library, or where the system looks. */
	@SuppressWarnings("restricted")
	private static final class Library {
		private static final MethodHandle OPEN, INFO, FREE, DICTIONARY, FIND, SCRATCH, BATCH, SHORT_BATCH;

		static {
			String name = System.getProperty("scoreline.library", "libscoreline.so");
			SymbolLookup symbols = SymbolLookup.libraryLookup(name, Arena.global());
			Linker linker = Linker.nativeLinker();
			OPEN = function(linker, symbols, "score_model_open_file", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS));
			INFO = function(linker, symbols, "score_model_get_info", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS));
			FREE = function(linker, symbols, "score_model_free", FunctionDescriptor.ofVoid(ADDRESS));
			DICTIONARY = function(linker, symbols, "score_model_dictionary", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT));
			FIND = function(linker, symbols, "score_model_category_find",
				FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT, ADDRESS, JAVA_LONG, ADDRESS));
			SCRATCH = function(linker, symbols, "score_scratch_bytes", FunctionDescriptor.of(JAVA_LONG, ADDRESS));
			FunctionDescriptor batch = FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS, JAVA_LONG, ADDRESS, ADDRESS);
			BATCH = function(linker, symbols, "score_batch", batch);
			SHORT_BATCH = function(linker, symbols, "score_batch", batch, Linker.Option.critical(false));
		}

		private static MethodHandle function(Linker linker, SymbolLookup symbols, String name, FunctionDescriptor types,
				Linker.Option... options) {
			return linker.downcallHandle(symbols.find(name).orElseThrow(() -> new UnsatisfiedLinkError(name)), types, options);
		}

		private static AssertionError never(Throwable failure) {
			return new AssertionError("a native function threw", failure);
		}

		int open(MemorySegment path, MemorySegment out, MemorySegment error) {
			try {
				return (int) OPEN.invokeExact(path, MemorySegment.NULL, out, error);
			} catch (Throwable failure) {
				throw never(failure);
			}
		}

		void info(MemorySegment model, MemorySegment info) {
			try {
				int status = (int) INFO.invokeExact(model, info);
				if (status != 0)
					throw new IllegalStateException("score_model_get_info: status " + status);
			} catch (Throwable failure) {
				throw never(failure);
			}
		}

		void free(MemorySegment model) {
			try {
				FREE.invokeExact(model);
			} catch (Throwable failure) {
				throw never(failure);
			}
		}

		int dictionary(MemorySegment model, int feature) {
			try {
				return (int) DICTIONARY.invokeExact(model, feature);
			} catch (Throwable failure) {
				throw never(failure);
			}
		}

		int find(MemorySegment model, int feature, MemorySegment text, long length, MemorySegment code) {
			try {
				return (int) FIND.invokeExact(model, feature, text, length, code);
			} catch (Throwable failure) {
				throw never(failure);
			}
		}

		long scratchBytes(MemorySegment model) {
			try {
				return (long) SCRATCH.invokeExact(model);
			} catch (Throwable failure) {
				throw never(failure);
			}
		}

		int batch(boolean isShort, MemorySegment model, MemorySegment input, MemorySegment out, long n, MemorySegment options,
				MemorySegment error) {
			try {
				return isShort ? (int) SHORT_BATCH.invokeExact(model, input, out, n, options, error) :
					(int) BATCH.invokeExact(model, input, out, n, options, error);
			} catch (Throwable failure) {
				throw never(failure);
			}
		}
	}
}
