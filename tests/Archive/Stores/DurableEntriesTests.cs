namespace KafkaEventSourcing.Archive.Tests;

public sealed class DurableEntriesTests
{
    // File.Move without overwriting lets both of two succeed every 30 to 40 times, and the first one's file is gone.
    [Fact]
    public async Task TryName_of_two_at_the_same_time_one_succeeds_and_its_content_is_there()
    {
        const int rounds = 500;
        string folder = Directory.CreateTempSubdirectory("kes-entries-").FullName;
        try
        {
            using var both = new Barrier(2);
            bool[][] named = await Task.WhenAll(Enumerable.Range(0, 2).Select(writer => Task.Factory.StartNew(
                () => Enumerable.Range(0, rounds).Select(round =>
                {
                    string own = Path.Combine(folder, $"{round}-{writer}");
                    File.WriteAllText(own, $"{writer}");
                    both.SignalAndWait();
                    return DurableEntries.TryName(own, Path.Combine(folder, $"{round}"));
                }).ToArray(),
                CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
            for (int round = 0; round < rounds; round++)
            {
                (named[0][round] ^ named[1][round]).ShouldBeTrue($"round {round}");
                File.ReadAllText(Path.Combine(folder, $"{round}")).ShouldBe(named[0][round] ? "0" : "1");
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
