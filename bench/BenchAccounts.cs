using System.Globalization;
using System.Text;
using Banking.Domain;
using KafkaEventSourcing.Hosting.Load;

namespace KafkaEventSourcing.Bench;

/// <summary>Accounts that take any movement, and the calls on them.</summary>
internal static class BenchAccounts
{
    private static readonly DateOnly Day = new(2026, 1, 5);
    private static readonly Credit Movement = new()
    {
        Amount = 100,
        Currency = "CZK",
        BookedOn = Day,
        Operation = Operation.CashDeposit,
        Category = Category.None,
    };

    private const string MovementAsJson =
        """{"amount":100,"currency":"CZK","bookedOn":"2026-01-05","operation":"CashDeposit","category":"None"}""";

    public static AggregateId Id(int number) => AggregateId.Parse(string.Create(CultureInfo.InvariantCulture, $"a{number}"));

    /// <summary>Opens the accounts 0 to <paramref name="count"/> - 1.</summary>
    public static async Task Open(ICommandClient door, int count, CancellationToken cancellationToken)
    {
        var opening = new OpenAccount { Owner = "bench", Currency = "CZK", OverdraftLimit = 0, OpenedOn = Day };
        using var feed = new CommandFeed(door, new CommandFeedOptions { MaxInFlight = 10_000 });
        await feed.SendAsync(Enumerable.Range(0, count).Select(n => new CommandEnvelope(Id(n), CommandId.Parse($"open-{Id(n)}"), opening)),
            cancellationToken).ConfigureAwait(false);
        if (feed.Accepted != count)
            throw new InvalidOperationException($"{feed.Accepted:N0} of {count:N0} accounts were opened.");
    }

    public static CommandEnvelope Credit(int account) => new(Id(account), CommandId.New(TimeProvider.System), Movement);

    public static async Task Send(ICommandClient door, int account, CancellationToken cancellationToken)
    {
        if (await door.SendAsync(Credit(account), cancellationToken).ConfigureAwait(false) is not CommandResult.Accepted)
            throw new InvalidOperationException($"The credit of {Id(account)} was not accepted.");
    }

    /// <summary>As <see cref="Send(ICommandClient, int, CancellationToken)"/>, by HTTP.</summary>
    public static async Task Send(HttpClient http, int account, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/account/{Id(account)}/credit")
        {
            Content = new StringContent(MovementAsJson, Encoding.UTF8, "application/json"),
        };
        using HttpResponseMessage answer = await http.SendAsync(request, cancellationToken).ConfigureAwait(false);
        if (!answer.IsSuccessStatusCode)
            throw new InvalidOperationException(await answer.Content.ReadAsStringAsync(cancellationToken).ConfigureAwait(false));
    }
}
