using System.Net;
using System.Net.Sockets;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.EndToEnd.Tests;

public sealed class EndWhileStartingTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("kes-ends-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Node_that_is_asked_to_end_while_it_waits_for_its_servers_ends_in_order()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        string address = silent.LocalEndpoint.ToString()!;
        await using ProgramRun node = ProgramRun.Start("dotnet",
            [Programs.Bank, "run", "--http-port", "0", "--data", Path.Combine(_folder, "data"), "--kafka", address, "--registry",
                $"http://{address}", "--mongodb", $"mongodb://{address}/"]);
        using Socket asked = await silent.AcceptSocketAsync(cancellation); // it has begun, and nobody will answer

        (await node.TerminateAsync(cancellation)).ShouldBe(0, node.Output);
        node.Output.ShouldNotContain("This should not have happened");
    }
}
