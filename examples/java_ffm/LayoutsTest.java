import java.lang.foreign.MemoryLayout;
import java.lang.foreign.StructLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The layouts of Scoreline.java against the sizes and offsets that tests/abi/test_abi.c pins. Comes in: that file. */
public final class LayoutsTest {
	private static final Pattern PINNED = Pattern.compile("^(?:SIZE\\((\\w+), (\\d+)\\)|AT\\((\\w+), ([\\w.]+), (\\d+)\\));", Pattern.MULTILINE);

	private static void check(boolean holds, String otherwise) {
		if (!holds)
			throw new AssertionError(otherwise);
	}

	public static void main(String[] arguments) throws Exception {
		Map<String, Long> pinned = new HashMap<>();
		Matcher line = PINNED.matcher(Files.readString(Path.of(arguments[0])));
		while (line.find())
			pinned.put(line.group(1) != null ? line.group(1) : line.group(3) + "." + line.group(4),
				Long.parseLong(line.group(1) != null ? line.group(2) : line.group(5)));
		int compared = 0;
		for (StructLayout struct : List.of(Scoreline.ERROR, Scoreline.INFO, Scoreline.INPUT, Scoreline.OPTIONS)) {
			String name = struct.name().orElseThrow();
			if (struct != Scoreline.INFO)
				check(struct.byteSize() == pinned.get(name), name + " has " + struct.byteSize() + " bytes, expected " + pinned.get(name));
			for (MemoryLayout member : struct.memberLayouts()) {
				String what = member.name().orElseThrow();
				if (what.equals("reserved"))
					continue;
				Long expected = pinned.get(name + "." + what);
				long offset = struct.byteOffset(MemoryLayout.PathElement.groupElement(what));
				check(expected != null && expected == offset, name + "." + what + " is at " + offset + ", expected " + expected);
				compared++;
			}
		}
		check(compared > 20, "only " + compared + " members");
		System.out.printf("%d members of 4 structs where the library has them%n", compared);
	}
}
