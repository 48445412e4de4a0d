using System.Text.RegularExpressions;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.EndToEnd.Tests;

/// <summary>One bank for all tests of the HTTP interface; each uses an account of its own.</summary>
public sealed partial class RunningBank : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("kes-http-").FullName;
    private ProgramRun? _program;

    // A bank on a busy machine says only after more than a second, .NET's default, whether it takes a body.
    public HttpClient Http { get; } = new(new SocketsHttpHandler { Expect100ContinueTimeout = TimeSpan.FromMinutes(1) });

    public async ValueTask InitializeAsync()
    {
        _program = ProgramRun.Start("dotnet", [Programs.Bank, "run", "--http-port", "0", "--data", _folder]);
        Http.BaseAddress = new Uri((await _program.WaitForLineAsync(ServesAt(), CancellationToken.None)).Groups[1].Value);
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _program!.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [GeneratedRegex(@"serves at (http://\S+)")]
    private static partial Regex ServesAt();
}

/// <summary>The tests that use the bank: it is started once.</summary>
[CollectionDefinition(nameof(RunningBankCollection))]
public sealed class RunningBankCollection : ICollectionFixture<RunningBank>;
