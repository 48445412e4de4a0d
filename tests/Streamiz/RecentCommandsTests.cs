namespace KafkaEventSourcing.Streamiz.Tests;

public sealed class RecentCommandsTests
{
    [Fact]
    public void Each_one_has_its_own_commands_whatever_follows_it()
    {
        var all = new List<(RecentCommands Commands, string[] Expected)> { (RecentCommands.None, []) };
        for (int version = 1; version <= 40; version++)
        {
            foreach (int from in (int[])[1, 2]) // the second one follows what another one has followed
            {
                if (from > all.Count)
                    continue;
                (RecentCommands commands, string[] expected) = all[^from];
                string id = version % 5 == 0 && expected.Length > 0 ? expected[^1].Split('@')[0] : $"c{version}-{from}";
                bool isSame = expected.Length > 0 && expected[^1].StartsWith($"{id}@", StringComparison.Ordinal);
                string[] kept = isSame ? expected[..^1] : expected;
                all.Add((commands.And(new SnapshotCommand(id, version, version, ""), 7), [.. kept.Append($"{id}@{version}").TakeLast(7)]));
            }
        }

        foreach ((RecentCommands commands, string[] expected) in all)
            commands.Select(c => $"{c.Id}@{c.Version}").ShouldBe(expected);
    }

    /// <summary>A fold copied 256 commands at each event, 8 KB.</summary>
    [Fact]
    public void Commands_that_follow_one_another_are_not_copied()
    {
        RecentCommands commands = RecentCommands.None;
        for (int version = 1; version <= 600; version++)
            commands = commands.And(new SnapshotCommand($"c{version}", version, version, ""), 256);
        string[] ids = [.. Enumerable.Range(0, 1_000).Select(i => $"d{i}")];
        long before = GC.GetAllocatedBytesForCurrentThread();
        foreach (string id in ids)
            commands = commands.And(new SnapshotCommand(id, 1, 1, ""), 256);

        ((GC.GetAllocatedBytesForCurrentThread() - before) / ids.Length).ShouldBeLessThan(200);
        commands.Count.ShouldBe(256);
        commands[^1].Id.ShouldBe("d999");
    }
}
