using System.Text.RegularExpressions;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.EndToEnd.Tests;

/// <summary><c>verify</c> beside nodes that run.</summary>
public sealed partial class VerifyTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("kes-verify-").FullName;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    // It joined the group, took half of the partitions from the node that served, and refused then.
    [Fact]
    public async Task Verify_beside_a_node_refuses_and_takes_no_partition_from_it()
    {
        await using ProgramRun node = ProgramRun.Start("dotnet",
            [Programs.Bank, "run", "--http-port", "0", "--node-id", "one", "--data", Path.Combine(_folder, "one")]);
        using var http = new HttpClient { BaseAddress = new Uri((await node.WaitForLineAsync(ServesAt(), Cancellation)).Groups[1].Value) };
        Match servers = await node.WaitForLineAsync(Servers(), Cancellation);
        string restores = await Restores();

        ProgramRun verify = await ProgramRun.FinishAsync("dotnet",
        [
            Programs.Bank, "verify", "--kafka", servers.Groups[1].Value, "--registry", servers.Groups[2].Value, "--mongodb",
            servers.Groups[3].Value, "--session-timeout", "1", "--data", Path.Combine(_folder, "two"),
        ], null, Cancellation);
        verify.ExitCode.ShouldBe(1, verify.Output);
        verify.Output.ShouldContain(
            $"1 node of bank run at {servers.Groups[1].Value}: one. Verifying compares all state stores: end the other nodes first.");
        Directory.Exists(Path.Combine(_folder, "two", "state")).ShouldBeFalse();

        (await Restores()).ShouldBe(restores);
        (await node.TerminateAsync(Cancellation)).ShouldBe(0);

        async Task<string> Restores()
        {
            string[] counted = [.. RestoreCount().Matches(await http.GetStringAsync("/metrics", Cancellation)).Select(m => m.Value).Order(
                StringComparer.Ordinal)];
            counted.ShouldNotBeEmpty();
            return string.Join('\n', counted);
        }
    }

    [GeneratedRegex(@"serves at (http://\S+)")]
    private static partial Regex ServesAt();

    [GeneratedRegex(@"^kes_restore_duration_seconds_count\S* \d+", RegexOptions.Multiline)]
    private static partial Regex RestoreCount();

    [GeneratedRegex(@"^Kafka (\S+), Schema Registry (\S+), MongoDB (\S+)")]
    private static partial Regex Servers();
}
