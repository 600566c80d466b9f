import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The golden set, two threads, wrong inputs, closing, and what a call costs. Comes in: a folder with MODEL.rows for each model: a line
 * for each row, the values, the margin and the prediction in hex ("label:…" for a category's label), and MODEL.path; and labels.slm, whose second feature has four labels.
 */
public final class ScorelineTest {
	private record Golden(Scoreline model, double[] rows, double[] margins, double[] predictions) {
	}

	private static double value(Scoreline model, int feature, String text) {
		return text.startsWith("label:") ? model.code(feature, text.substring(6)) : Double.parseDouble(text);
	}

	private static Golden load(Path folder, String name) throws IOException {
		Scoreline model = new Scoreline(Files.readString(folder.resolve(name + ".path")).strip());
		List<String> lines = Files.readAllLines(folder.resolve(name + ".rows"));
		int n = model.features();
		Golden g = new Golden(model, new double[lines.size() * n], new double[lines.size()], new double[lines.size()]);
		for (int r = 0; r < lines.size(); r++) {
			String[] parts = lines.get(r).split("\t");
			check(parts.length == n + 2, "row " + r + " has " + parts.length + " values");
			for (int i = 0; i < n; i++)
				g.rows[r * n + i] = value(model, i, parts[i]);
			g.margins[r] = Double.parseDouble(parts[n]);
			g.predictions[r] = Double.parseDouble(parts[n + 1]);
		}
		return g;
	}

	private static void check(boolean holds, String otherwise) {
		if (!holds)
			throw new AssertionError(otherwise);
	}

	private static void same(double[] expected, double[] found) {
		check(expected.length == found.length && found.length > 0, found.length + " scores");
		for (int r = 0; r < found.length; r++)
			check(Double.doubleToRawLongBits(expected[r]) == Double.doubleToRawLongBits(found[r]),
				"row " + r + ": " + Double.toHexString(found[r]) + ", expected " + Double.toHexString(expected[r]));
	}

	private static ByteBuffer direct(double[] values) {
		ByteBuffer buffer = ByteBuffer.allocateDirect(values.length * 8).order(ByteOrder.nativeOrder());
		buffer.asDoubleBuffer().put(values);
		return buffer;
	}

	/** All rows at once, one at a time, and from direct buffers. */
	private static void compare(Golden g) {
		double[] found = new double[g.predictions.length];
		g.model.score(g.rows, found, Scoreline.Output.PREDICTION);
		same(g.predictions, found);
		g.model.score(g.rows, found, Scoreline.Output.MARGIN);
		same(g.margins, found);
		int n = g.model.features();
		double[] one = new double[1];
		for (int r = 0; r < found.length; r++) {
			g.model.score(java.util.Arrays.copyOfRange(g.rows, r * n, (r + 1) * n), one, Scoreline.Output.PREDICTION);
			found[r] = one[0];
		}
		same(g.predictions, found);
		ByteBuffer out = direct(new double[found.length]);
		g.model.score(direct(g.rows), out, Scoreline.Output.PREDICTION);
		out.asDoubleBuffer().get(found);
		same(g.predictions, found);
	}

	private static void refused(Class<?> type, String words, Runnable call) {
		try {
			call.run();
		} catch (RuntimeException e) {
			check(type.isInstance(e) && e.getMessage().contains(words), "found " + e + ", expected " + words);
			return;
		}
		throw new AssertionError("not refused: " + words);
	}

	private static void errors(Golden iot, Golden fraud, String noModel) {
		Class<?> wrong = IllegalArgumentException.class;
		Scoreline.Output p = Scoreline.Output.PREDICTION;
		refused(wrong, "cannot open '/no/such.slm'", () -> new Scoreline("/no/such.slm"));
		refused(wrong, "", () -> new Scoreline(noModel));
		refused(NullPointerException.class, "found null", () -> new Scoreline(null));
		refused(wrong, "expected 6 values for 2 scores of a model with 3 features, found 5",
			() -> iot.model.score(new double[5], new double[2], p));
		refused(NullPointerException.class, "found null", () -> iot.model.score(null, new double[2], p));
		refused(wrong, "direct buffers", () -> iot.model.score(ByteBuffer.allocate(24), direct(new double[1]), p));
		refused(wrong, "direct buffers", () -> iot.model.score(direct(new double[4]).position(1).slice(), direct(new double[1]), p));
		refused(wrong, "found 5", () -> iot.model.score(direct(new double[5]), direct(new double[2]), p));
		refused(wrong, "found feature 7", () -> fraud.model.code(7, "x"));
		refused(wrong, "dictionary, found feature 0", () -> iot.model.code(0, "x"));
	}

	/** Labels beyond what Java's own UTF-8 and C's have in common. */
	private static void labels(Path path) {
		try (Scoreline model = new Scoreline(path.toString())) {
			String[] labels = {"red", "\uD83D\uDE00", "gr\u00FCn", "blue"};
			for (int k = 0; k < labels.length; k++)
				check(model.code(1, labels[k]) == k, labels[k] + " is " + model.code(1, labels[k]));
			check(Double.isNaN(model.code(1, "red\0")), "red and NUL is a label");
			refused(IllegalArgumentException.class, "and null", () -> model.code(1, null));
		}
	}

	private static void twoThreads(Golden g) throws InterruptedException {
		List<Throwable> failures = java.util.Collections.synchronizedList(new ArrayList<>());
		int[] rounds = new int[2];
		Thread[] threads = new Thread[2];
		for (int t = 0; t < threads.length; t++) {
			int mine = t;
			threads[t] = new Thread(() -> {
				try {
					for (; rounds[mine] < 200; rounds[mine]++)
						compare(g);
				} catch (Throwable failure) {
					failures.add(failure);
				}
			});
			threads[t].start();
		}
		for (Thread thread : threads)
			thread.join();
		check(failures.isEmpty() && rounds[0] == 200 && rounds[1] == 200, "two threads: " + failures);
	}

	/** By the processor time of this thread, which other work on the machine does not lengthen much. */
	private static void measure(Golden g, int n) {
		java.lang.management.ThreadMXBean clock = java.lang.management.ManagementFactory.getThreadMXBean();
		double[] rows = new double[n * g.model.features()], scores = new double[n];
		for (int i = 0; i < rows.length; i++)
			rows[i] = g.rows[i % g.rows.length];
		long fastest = Long.MAX_VALUE;
		for (int round = 0, calls = 200_000 / (n / 4 + 1); round < 8; round++) {
			long began = clock.getCurrentThreadCpuTime();
			for (int i = 0; i < calls; i++)
				g.model.score(rows, scores, Scoreline.Output.PREDICTION);
			fastest = Math.min(fastest, (clock.getCurrentThreadCpuTime() - began) / calls);
		}
		System.out.printf("%d ns for a call with %d rows%n", fastest, n);
	}

	public static void main(String[] arguments) throws Exception {
		Path folder = Path.of(arguments[0]);
		Golden iot = load(folder, "iot"), fraud = load(folder, "fraud"), wide = load(folder, "wide");
		for (Golden g : List.of(iot, fraud, wide))
			compare(g);
		twoThreads(fraud);
		errors(iot, fraud, folder.resolve("iot.rows").toString());
		labels(folder.resolve("labels.slm"));
		measure(iot, 1);
		measure(iot, 512);
		iot.model.close();
		iot.model.close();
		refused(IllegalStateException.class, "closed", () -> iot.model.score(new double[3], new double[1], Scoreline.Output.MARGIN));
		System.out.printf("%d rows of 3 models, bit for bit%n",
			iot.predictions.length + fraud.predictions.length + wide.predictions.length);
	}
}
